"""A sink seen as a disk that is filled in ascending order."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from typing import Final

from bootsmith.errors import ArchiveError
from bootsmith.image.ext4.extents import Extent
from bootsmith.image.ext4.structures import BLOCK_BYTES
from bootsmith.model.streams import BlobSource, ByteSink
from bootsmith.tree.entry import BlobSlice, Content, InlineBytes, Run, SparseContent

_HOLE_BYTES_MIN: Final = 16 << 10  # zeros fewer than these are written: a hole costs a system call
_ZEROS: Final = bytes(_HOLE_BYTES_MIN)
_GATHERED_BYTES: Final = 1 << 20  # small pieces reach the sink together
_LARGE_BYTES: Final = 256 << 10  # a piece worth a copy of its own, inside the kernel if it can
_OPEN_BLOBS_MAX: Final = 128  # files open at a time, far below the usual limit of 1024


class Canvas:
    """What is not painted becomes zeros, as a hole where there are many."""

    def __init__(self, sink: ByteSink, blobs: BlobSource) -> None:
        self._sink = sink
        self._open = lru_cache(maxsize=_OPEN_BLOBS_MAX)(blobs.open_blob)
        self._position = 0
        self._gathered: list[bytes | bytearray] = []
        self._gathered_bytes = 0

    def finish(self, size_bytes: int) -> None:
        """Leave the rest of ``size_bytes`` blank, and hand over all that was gathered."""
        self.move_to(size_bytes)
        self._flush()

    def move_to(self, position: int) -> None:
        """Leave everything up to the byte ``position`` blank."""
        gap = position - self._position
        assert gap >= 0, "an image is written front to back"
        if gap >= _HOLE_BYTES_MIN:
            self._flush()
            self._sink.skip(gap)
            self._position = position
        elif gap:
            self._gather(_ZEROS[:gap])

    def write_block(self, number: int, data: bytes | bytearray) -> None:
        """``data`` at the beginning of block ``number``; it may run over several."""
        self.move_to(number * BLOCK_BYTES)
        self._gather(data)

    def write_extent(self, extent: Extent, content: Content) -> None:
        """The part of a file that lies in ``extent``.

        Raises ``ArchiveError`` when a blob ends before its slice does.
        """
        logical, physical, length = extent
        start = logical * BLOCK_BYTES
        end = min(start + length * BLOCK_BYTES, content.size_bytes)
        target = physical * BLOCK_BYTES
        if not isinstance(content, SparseContent):
            self.move_to(target)
            self._write_part(content, end - start, skip=start)
            return
        for offset, data in _runs_between(content, start, end):
            first, last = max(start, offset), min(end, offset + data.size_bytes)
            self.move_to(target + first - start)
            self._write_part(data, last - first, skip=first - offset)

    def _write_part(self, data: InlineBytes | BlobSlice, size_bytes: int, *, skip: int) -> None:
        if isinstance(data, InlineBytes):
            self._gather(data.data[skip : skip + size_bytes])
            return
        source, offset = self._open(data.blob), data.offset + skip
        if size_bytes >= _LARGE_BYTES:
            self._flush()
            self._sink.copy_from(source, offset, size_bytes)
            self._position += size_bytes
            return
        piece = source.read_at(offset, size_bytes)
        if len(piece) != size_bytes:
            raise ArchiveError(f"blob {data.blob} ends within a file", offset=offset + len(piece))
        self._gather(piece)

    def _gather(self, data: bytes | bytearray) -> None:
        self._gathered.append(data)
        self._gathered_bytes += len(data)
        self._position += len(data)
        if self._gathered_bytes >= _GATHERED_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._gathered:
            self._sink.write(b"".join(self._gathered))
            self._gathered.clear()
            self._gathered_bytes = 0


def _runs_between(content: SparseContent, start: int, end: int) -> list[Run]:
    """The runs with at least a byte from ``start`` up to ``end``."""
    first = bisect_right(content.runs, start, key=lambda run: run.offset + run.data.size_bytes)
    last = bisect_right(content.runs, end - 1, key=lambda run: run.offset)
    return [run for run in content.runs[first:last] if run.data.size_bytes]
