"""A layout to bytes, in one pass from the first block to the last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bootsmith.image.ext4.canvas import Canvas
from bootsmith.image.ext4.directory_writer import write_directories
from bootsmith.image.ext4.journal import empty_journal
from bootsmith.image.ext4.metadata import metadata_blocks
from bootsmith.image.ext4.options import Ext4Options
from bootsmith.image.ext4.plan import Ext4Layout, plan_ext4
from bootsmith.image.ext4.structures import JOURNAL_INODE
from bootsmith.image.ext4.superblock import uuid_seed
from bootsmith.model.streams import BlobSource, ByteSink
from bootsmith.tree.entry import Content, InlineBytes
from bootsmith.tree.file_tree import FileTree


@dataclass(frozen=True, slots=True, kw_only=True)
class Ext4Summary:
    """What was written.  Blocks have 4096 bytes; inodes include the eleven reserved ones."""

    size_bytes: int
    block_count: int
    free_blocks: int
    inode_count: int
    free_inodes: int
    journal_blocks: int
    uuid: bytes


def write_ext4(
    tree: FileTree, options: Ext4Options, blobs: BlobSource, sink: ByteSink
) -> Ext4Summary:
    """Write ``tree`` as an ext4 image of a whole disk to ``sink``.

    Raises what ``plan_ext4`` raises, before anything is written, and what ``blobs`` and
    ``sink`` raise; ``ArchiveError`` when a blob is shorter than the tree says.
    """
    return write_layout(plan_ext4(tree, options), blobs, sink)


def write_layout(layout: Ext4Layout, blobs: BlobSource, sink: ByteSink) -> Ext4Summary:
    """Write what ``plan_ext4`` has decided."""
    canvas = Canvas(sink, blobs)
    metadata = metadata_blocks(layout)
    metadata.reverse()
    placement = layout.placement
    next_number = metadata[-1].number
    for inode, content in _contents(layout):
        for extent in placement.extents[inode]:
            while next_number < extent.physical:
                number, make = metadata.pop()
                canvas.write_block(number, make())
                next_number = metadata[-1].number if metadata else layout.size_bytes
            canvas.write_extent(extent, content)
    while metadata:
        number, make = metadata.pop()
        canvas.write_block(number, make())
    canvas.finish(layout.size_bytes)
    return _summary(layout)


def _contents(layout: Ext4Layout) -> Iterator[tuple[int, Content]]:
    """By inode, in the order of the disk."""
    survey, uuid = layout.survey, layout.options.uuid
    if layout.placement.journal_blocks:
        yield JOURNAL_INODE, InlineBytes(empty_journal(layout.placement.journal_blocks, uuid))
    directories = survey.inventory.directories
    for number, data in write_directories(directories, survey.hashed, seed=uuid_seed(uuid)):
        yield number, InlineBytes(data)
    yield from survey.contents.items()


def _summary(layout: Ext4Layout) -> Ext4Summary:
    geometry = layout.placement.geometry
    return Ext4Summary(
        size_bytes=layout.size_bytes,
        block_count=geometry.block_count,
        free_blocks=layout.placement.free_blocks,
        inode_count=geometry.inode_count,
        free_inodes=geometry.inode_count - layout.survey.inventory.last_inode,
        journal_blocks=layout.placement.journal_blocks,
        uuid=layout.options.uuid,
    )
