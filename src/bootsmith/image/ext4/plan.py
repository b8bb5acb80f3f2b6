"""From a tree to a layout: the size, and everything else, before the first byte is written."""

from __future__ import annotations

from dataclasses import dataclass

from bootsmith.errors import ImageError, ImageFull
from bootsmith.image.ext4.geometry import BLOCK_COUNT_MAX, geometry, smallest_block_count
from bootsmith.image.ext4.journal import JOURNAL_BLOCKS_MIN, journal_blocks
from bootsmith.image.ext4.options import Ext4Options
from bootsmith.image.ext4.placement import Placement, place
from bootsmith.image.ext4.structures import BLOCK_BYTES
from bootsmith.image.ext4.survey import Survey, survey
from bootsmith.tree.file_tree import FileTree

_BLOCKS_PER_INODE = 4  # one inode for every 16 KiB of free space, as mke2fs reckons


@dataclass(frozen=True, slots=True, kw_only=True)
class Ext4Layout:
    """An image in which every block has its place; only the writer looks inside."""

    options: Ext4Options
    size_bytes: int
    survey: Survey
    placement: Placement


def plan_ext4(tree: FileTree, options: Ext4Options) -> Ext4Layout:
    """Decide where everything in ``tree`` goes.

    Raises ``ImageFull`` when ``options.size_bytes`` is too small; its ``needed_bytes`` is the
    smallest size for which the same call works.  Raises ``ImageError``, which names the path,
    for an entry ext4 cannot hold.
    """
    contents = survey(tree, options)
    used_inodes = contents.inventory.last_inode
    if options.size_bytes is None:
        spare = _inodes_for(options, options.free_bytes // BLOCK_BYTES)
        journal = 0
        if options.writable:
            journal = journal_blocks(contents.block_count + _blocks(options.free_bytes))
        placement = _smallest(contents, options, journal=journal, inodes=used_inodes + spare)
        size_bytes = placement.geometry.block_count * BLOCK_BYTES
    else:
        size_bytes = options.size_bytes
        placement = _fill(contents, options, size_bytes)
    return Ext4Layout(options=options, size_bytes=size_bytes, survey=contents, placement=placement)


def _fill(contents: Survey, options: Ext4Options, size_bytes: int) -> Placement:
    """A file system that fills a fixed size, with the comforts that fit into it."""
    block_count = size_bytes // BLOCK_BYTES
    used_inodes = contents.inventory.last_inode
    least = _smallest(
        contents,
        options,
        journal=JOURNAL_BLOCKS_MIN if options.writable else 0,
        inodes=used_inodes + (options.free_inodes or 0),
    )
    missing = least.geometry.block_count - block_count
    if missing > 0:
        needed_bytes = least.geometry.block_count * BLOCK_BYTES
        raise ImageFull(
            f"the contents need an image of {needed_bytes} bytes, "
            f"{needed_bytes - size_bytes} more than the {size_bytes} it may have",
            needed_bytes=needed_bytes,
            size_bytes=size_bytes,
            hint="raise rootfs.sizeMb or leave it out",
        )
    if block_count > BLOCK_COUNT_MAX:
        raise ImageError(f"an ext4 image of {size_bytes} bytes is over our limit of 16 TiB")
    room = -missing
    journal = least.journal_blocks
    if options.writable:
        wanted = journal_blocks(block_count)
        journal = wanted if wanted - journal <= room // 2 else journal
        room -= journal - least.journal_blocks
    inodes = used_inodes + _inodes_for(options, room)
    shape = geometry(block_count, inode_count=inodes, growable=options.writable)
    if shape is not None:
        placement = place(contents, shape, journal_blocks=journal)
        if placement.free_blocks >= _blocks(options.free_bytes):
            return placement
    return least


def _smallest(contents: Survey, options: Ext4Options, *, journal: int, inodes: int) -> Placement:
    """The placement on the smallest file system that leaves the free space asked for.

    How many blocks index extents depends on where files lie, and that on the size: so the
    number is raised until it is enough, which it mostly is at once.
    """
    growable = options.writable
    free_blocks = _blocks(options.free_bytes)
    payload = contents.block_count + journal + growable + free_blocks
    while True:
        count = smallest_block_count(payload_blocks=payload, inode_count=inodes, growable=growable)
        if count > BLOCK_COUNT_MAX:
            raise ImageError(
                f"the contents need {count * BLOCK_BYTES} bytes, over our limit of 16 TiB"
            )
        shape = geometry(count, inode_count=inodes, growable=growable)
        assert shape is not None, "the smallest geometry exists"
        placement = place(contents, shape, journal_blocks=journal)
        if placement.free_blocks >= free_blocks:
            return placement
        payload += free_blocks - placement.free_blocks


def _inodes_for(options: Ext4Options, free_blocks: int) -> int:
    """How many unused inodes to have beside ``free_blocks`` free blocks."""
    if options.free_inodes is not None:
        return options.free_inodes
    return free_blocks // _BLOCKS_PER_INODE if options.writable else 0


def _blocks(size_bytes: int) -> int:
    return -(-size_bytes // BLOCK_BYTES)
