"""The inodes of a layout, group by group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bootsmith.image.ext4.extents import (
    ROOT_ENTRIES,
    Extent,
    encode_root,
    encode_tree,
    index_block_count,
)
from bootsmith.image.ext4.inode import (
    FAST_SYMLINK_MAX_BYTES,
    encode_device,
    encode_inode,
    inode_seeds,
    seal_inodes,
)
from bootsmith.image.ext4.plan import Ext4Layout
from bootsmith.image.ext4.resize import SIZE_BYTES as RESIZE_INODE_BYTES
from bootsmith.image.ext4.resize import ResizeInode
from bootsmith.image.ext4.structures import (
    BLOCK_BYTES,
    INODE_BYTES,
    JOURNAL_INODE,
    RESIZE_INODE,
    FileType,
    InodeFlag,
)
from bootsmith.image.ext4.superblock import uuid_seed
from bootsmith.tree.entry import Device, Directory, Inode, Metadata, RegularFile, Symlink

_NO_EXTENTS: Final[tuple[Extent, ...]] = ()
_UNUSED: Final = bytes(INODE_BYTES)


class InodeTable:
    """Encodes inodes; ``extent_blocks`` are those of the trees that outgrow them."""

    def __init__(self, layout: Ext4Layout, resize: ResizeInode | None) -> None:
        self._inodes = layout.survey.inventory.inodes
        self._links = layout.survey.inventory.links
        self._xattrs = layout.survey.xattrs
        self._placement = layout.placement
        self._extents = layout.placement.extents
        self._seed = uuid_seed(layout.options.uuid)
        self._created_ns = layout.options.created_s * 1_000_000_000
        self._resize = resize
        self._tree_roots: dict[int, bytes] = {}
        self.extent_blocks: list[tuple[int, bytes]] = []
        owners = list(layout.placement.index_blocks)
        for number, seed in zip(owners, inode_seeds(owners, self._seed), strict=True):
            places = layout.placement.index_blocks[number]
            root, blocks = encode_tree(layout.placement.extents[number], places, seed)
            self._tree_roots[number] = root
            self.extent_blocks += blocks

    @property
    def journal_copy(self) -> bytes:
        """``s_jnl_blocks``: the journal's ``i_block`` and size; empty without a journal."""
        size_bytes = self._placement.journal_blocks * BLOCK_BYTES
        if not size_bytes:
            return b""
        return (
            self._root(JOURNAL_INODE, self._extents[JOURNAL_INODE])
            + bytes(4)
            + size_bytes.to_bytes(4, "little")
        )

    def encode(self, numbers: range) -> bytearray:
        """The inodes with these numbers, one after the other."""
        return seal_inodes(numbers, [self._record(number) for number in numbers], self._seed)

    def _record(self, number: int) -> bytes:
        found = self._inodes.get(number)
        if found is not None:
            return self._entry_record(number, found)
        if number == JOURNAL_INODE and self._placement.journal_blocks:
            extents = self._extents[number]
            return self._hidden_file(
                size_bytes=self._placement.journal_blocks * BLOCK_BYTES,
                blocks=self._placement.journal_blocks + index_block_count(len(extents)),
                flags=InodeFlag.EXTENTS,
                block=self._root(number, extents),
            )
        if number == RESIZE_INODE and self._resize is not None:
            return self._hidden_file(
                size_bytes=RESIZE_INODE_BYTES,
                blocks=self._resize.block_count,
                flags=0,
                block=self._resize.block,
            )
        return _UNUSED

    def _entry_record(self, number: int, entry: Inode) -> bytes:
        metadata = entry.metadata
        extents = self._extents.get(number, _NO_EXTENTS)
        blocks = extents[0].length if len(extents) == 1 else sum(part.length for part in extents)
        flags, block = InodeFlag.EXTENTS, b""
        if isinstance(entry, RegularFile):
            mode, size_bytes = FileType.MODE_REGULAR, entry.content.size_bytes
        elif isinstance(entry, Directory):
            mode, size_bytes = FileType.MODE_DIRECTORY, blocks * BLOCK_BYTES
            flags = InodeFlag.EXTENTS | (InodeFlag.INDEX if blocks > 1 else 0)
        elif isinstance(entry, Symlink):
            mode, size_bytes = FileType.MODE_SYMLINK, len(entry.target)
            if size_bytes <= FAST_SYMLINK_MAX_BYTES:
                flags, block = 0, entry.target
        elif isinstance(entry, Device):
            mode = FileType.MODE_BLOCK if entry.is_block else FileType.MODE_CHARACTER
            size_bytes, flags, block = 0, 0, encode_device(entry.major, entry.minor)
        else:
            mode, size_bytes, flags = FileType.MODE_FIFO, 0, 0
        if flags:
            block = self._root(number, extents)
        blocks += index_block_count(len(extents))
        xattr_block, xattrs = 0, b""
        if metadata.xattrs:
            xattr_block = self._placement.xattr_blocks.get(number, 0)
            xattrs = self._xattrs[number].in_inode
            blocks += xattr_block != 0
        return encode_inode(
            mode,
            metadata,
            size_bytes=size_bytes,
            links=self._links[number],
            blocks=blocks,
            flags=flags,
            block=block,
            xattr_block=xattr_block,
            xattrs=xattrs,
        )

    def _hidden_file(self, *, size_bytes: int, blocks: int, flags: int, block: bytes) -> bytes:
        """A file of the file system itself, which no name leads to."""
        return encode_inode(
            FileType.MODE_REGULAR,
            Metadata(0o600, mtime_ns=self._created_ns),
            size_bytes=size_bytes,
            links=1,
            blocks=blocks,
            flags=flags,
            block=block,
        )

    def _root(self, number: int, extents: Sequence[Extent]) -> bytes:
        return self._tree_roots[number] if len(extents) > ROOT_ENTRIES else encode_root(extents)
