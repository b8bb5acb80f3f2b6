"""Blocks for contents, handed out front to back.

Nothing is ever given back, so that what a file needs is known before anything is written and
the image can be written in one pass.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from bootsmith.errors import ImageError
from bootsmith.image.ext4.extents import Extent
from bootsmith.image.ext4.geometry import Interval
from bootsmith.image.ext4.structures import BLOCK_BYTES, EXTENT_BLOCKS_MAX
from bootsmith.tree.entry import Content, SparseContent

_FILE_BLOCKS_MAX = (1 << 32) - 1  # logical block numbers have 32 bits


class BlockRange(NamedTuple):
    """``length`` blocks of a file that hold data, from its block ``logical``."""

    logical: int
    length: int


def block_ranges(content: Content) -> tuple[BlockRange, ...]:
    """The blocks of a file that hold data; holes have none.

    Raises ``ImageError`` for a file over 16 TiB or runs that overlap or leave the file.
    """
    size = content.size_bytes
    if size > _FILE_BLOCKS_MAX * BLOCK_BYTES:
        raise ImageError(f"a file of {size} bytes is larger than ext4 can hold")
    if not isinstance(content, SparseContent):
        return _from_start(-(-size // BLOCK_BYTES))
    ranges: list[BlockRange] = []
    position = 0
    for offset, data in content.runs:
        if offset < position or offset + data.size_bytes > size:
            raise ImageError("the runs of a sparse file overlap or leave the file")
        position = offset + data.size_bytes
        first, end = offset // BLOCK_BYTES, -(-position // BLOCK_BYTES)
        if not data.size_bytes:
            continue
        if ranges and ranges[-1].logical + ranges[-1].length >= first:
            first = ranges.pop().logical
        ranges.append(BlockRange(first, end - first))
    return tuple(ranges)


@lru_cache(maxsize=4096)
def _from_start(block_count: int) -> tuple[BlockRange, ...]:
    """Without holes.  Files share these: most have one of a few sizes."""
    return (BlockRange(0, block_count),) if block_count else ()


class Allocator:
    """Takes blocks from ``free``, ascending.

    It does not stop at the end of the file system but counts on beyond it, so that one walk
    tells how many blocks are missing.
    """

    def __init__(self, free: Sequence[Interval]) -> None:
        end = free[-1].end if free else 0
        self._later = [Interval(end, sys.maxsize), *reversed(free)]
        self._capacity = sum(stop - start for start, stop in free)
        self._position, self._end = self._later.pop()
        self.taken = 0

    @property
    def free_blocks(self) -> int:
        """How many are left; negative when more were taken than there are."""
        return self._capacity - self.taken

    @property
    def free(self) -> list[Interval]:
        """What is left, ascending."""
        current = Interval(self._position, self._end)
        return [part for part in (current, *reversed(self._later)) if part.end != sys.maxsize]

    def take(self, count: int) -> list[int]:
        """The numbers of ``count`` blocks."""
        return [
            number
            for _, start, length in self.take_ranges([BlockRange(0, count)])
            for number in range(start, start + length)
        ]

    def take_ranges(self, ranges: Iterable[BlockRange]) -> list[Extent]:
        """Blocks for the ranges of a file, in as few extents as there can be."""
        extents = []
        for logical, missing in ranges:
            self.taken += missing
            end = logical + missing
            while missing:
                position = self._position
                length = min(missing, self._end - position, EXTENT_BLOCKS_MAX)
                if length:
                    extents.append(Extent(end - missing, position, length))
                    missing -= length  # noqa: PLW2901
                    self._position = position + length
                else:
                    self._position, self._end = self._later.pop()
        return extents
