"""Every block of an image that is not content: superblocks, groups, inodes, attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from bootsmith.image.ext4.geometry import BLOCKS_PER_GROUP
from bootsmith.image.ext4.groups import Group, describe_groups
from bootsmith.image.ext4.inode_table import InodeTable
from bootsmith.image.ext4.plan import Ext4Layout
from bootsmith.image.ext4.resize import resize_inode
from bootsmith.image.ext4.structures import BLOCK_BYTES, SUPERBLOCK_OFFSET
from bootsmith.image.ext4.superblock import encode_superblock, new_superblock, uuid_seed
from bootsmith.image.ext4.xattr import seal_block


class MetadataBlock(NamedTuple):
    """Bytes for the blocks from ``number`` on, made when it is their turn: tables are large."""

    number: int
    make: Callable[[], bytes | bytearray]


def metadata_blocks(layout: Ext4Layout) -> list[MetadataBlock]:
    """In ascending order of their places."""
    placement = layout.placement
    geometry = placement.geometry
    inventory = layout.survey.inventory
    seed = uuid_seed(layout.options.uuid)
    resize = None
    if placement.resize_block:
        resize = resize_inode(geometry, placement.resize_block)
    table = InodeTable(layout, resize)
    groups = describe_groups(
        geometry,
        free=placement.free,
        used_inodes=inventory.last_inode,
        directories=inventory.directories,
        seed=seed,
    )
    blocks = [*_superblocks(layout, groups, table), *_group_blocks(layout, groups, table)]
    if resize is not None:
        blocks += [_ready(number, data) for number, data in resize.blocks]
    blocks += [_ready(number, data) for number, data in table.extent_blocks]
    for inode, number in placement.xattr_blocks.items():
        blocks.append(_ready(number, seal_block(layout.survey.xattrs[inode].block, number, seed)))
    blocks.sort(key=lambda block: block.number)
    return blocks


def _superblocks(
    layout: Ext4Layout, groups: list[Group], table: InodeTable
) -> Iterator[MetadataBlock]:
    """The superblock with the descriptors behind it, and its copies."""
    geometry = layout.placement.geometry
    superblock = new_superblock(
        layout.options,
        geometry,
        free_blocks=layout.placement.free_blocks,
        free_inodes=geometry.inode_count - layout.survey.inventory.last_inode,
        journal_blocks=layout.placement.journal_blocks,
        journal_copy=table.journal_copy,
    )
    descriptors = b"".join([group.descriptor for group in groups])
    primary = bytes(SUPERBLOCK_OFFSET) + encode_superblock(superblock, group=0)
    yield _ready(0, primary.ljust(BLOCK_BYTES, b"\0") + descriptors)
    for group in geometry.backup_groups:
        copy = encode_superblock(superblock, group=group)
        yield _ready(group * BLOCKS_PER_GROUP, copy.ljust(BLOCK_BYTES, b"\0") + descriptors)


def _group_blocks(
    layout: Ext4Layout, groups: list[Group], table: InodeTable
) -> Iterator[MetadataBlock]:
    geometry = layout.placement.geometry
    last_inode = layout.survey.inventory.last_inode
    for number, (places, group) in enumerate(zip(geometry.groups, groups, strict=True)):
        if group.block_bitmap is not None:
            yield _ready(places.block_bitmap, group.block_bitmap)
        if group.inode_bitmap is not None:
            yield _ready(places.inode_bitmap, group.inode_bitmap)
        first = number * geometry.inodes_per_group + 1
        end = min(first + geometry.inodes_per_group, last_inode + 1)
        if first < end:
            yield MetadataBlock(places.inode_table, partial(table.encode, range(first, end)))


def _ready(number: int, data: bytes) -> MetadataBlock:
    return MetadataBlock(number, lambda: data)
