"""Where everything lies: a survey laid out on a geometry."""

from __future__ import annotations

from typing import NamedTuple

from bootsmith.image.ext4.allocation import Allocator, BlockRange
from bootsmith.image.ext4.extents import ROOT_ENTRIES, Extent, index_block_count
from bootsmith.image.ext4.geometry import Geometry, Interval
from bootsmith.image.ext4.structures import JOURNAL_INODE
from bootsmith.image.ext4.survey import Survey


class Placement(NamedTuple):
    """Block numbers, by inode.

    ``index_blocks`` are those of extent trees that outgrow the inode.  ``free_blocks`` is
    negative when so many blocks are missing; the placement is then of no other use.
    """

    geometry: Geometry
    journal_blocks: int
    resize_block: int
    xattr_blocks: dict[int, int]
    extents: dict[int, list[Extent]]
    index_blocks: dict[int, list[int]]
    free: list[Interval]
    free_blocks: int


def place(survey: Survey, geometry: Geometry, *, journal_blocks: int) -> Placement:
    """One walk over everything that takes blocks, in the order of the disk."""
    allocator = Allocator(geometry.free)
    resize_block = allocator.take(1)[0] if geometry.reserved_gdt_blocks else 0
    owners = [number for number, xattrs in survey.xattrs.items() if xattrs.block]
    xattr_blocks = dict(zip(owners, allocator.take(len(owners)), strict=True))
    extents: dict[int, list[Extent]] = {}
    index_blocks: dict[int, list[int]] = {}
    if journal_blocks:
        extents[JOURNAL_INODE] = allocator.take_ranges([BlockRange(0, journal_blocks)])
    take_ranges = allocator.take_ranges
    for number, ranges in survey.block_ranges():
        extents[number] = found = take_ranges(ranges)
        if len(found) > ROOT_ENTRIES:
            index_blocks[number] = allocator.take(index_block_count(len(found)))
    return Placement(
        geometry=geometry,
        journal_blocks=journal_blocks,
        resize_block=resize_block,
        xattr_blocks=xattr_blocks,
        extents=extents,
        index_blocks=index_blocks,
        free=allocator.free,
        free_blocks=allocator.free_blocks,
    )
