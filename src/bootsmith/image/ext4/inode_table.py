"""The inodes of a layout, group by group."""

from __future__ import annotations

from typing import Final

from bootsmith.image.ext4.extents import ROOT_ENTRIES, encode_root, encode_tree
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
from bootsmith.tree.entry import Device, Directory, Inode, RegularFile, Symlink

_SECTORS_PER_BLOCK: Final = BLOCK_BYTES // 512
_EXTENTS: Final = int(InodeFlag.EXTENTS)  # plain numbers: an enum costs more than the rest
_INDEX: Final = int(InodeFlag.INDEX)
_UNUSED: Final = bytes(INODE_BYTES)


class InodeTable:
    """Encodes inodes; ``extent_blocks`` are those of the trees that outgrow them."""

    def __init__(self, layout: Ext4Layout, resize: ResizeInode | None) -> None:
        self._inodes = layout.survey.inventory.inodes
        self._links = layout.survey.inventory.links
        self._xattrs = layout.survey.xattrs
        self._placement = layout.placement
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
        return self._root(JOURNAL_INODE) + bytes(4) + size_bytes.to_bytes(4, "little")

    def encode(self, numbers: range) -> bytearray:
        """The inodes with these numbers, one after the other."""
        return seal_inodes(numbers, [self._record(number) for number in numbers], self._seed)

    def _record(self, number: int) -> bytes:
        found = self._inodes.get(number)
        if found is not None:
            return self._entry_record(number, found)
        if number == JOURNAL_INODE and self._placement.journal_blocks:
            blocks = self._placement.journal_blocks + len(
                self._placement.index_blocks.get(number, ())
            )
            return self._hidden_file(
                size_bytes=self._placement.journal_blocks * BLOCK_BYTES,
                blocks_512=blocks * _SECTORS_PER_BLOCK,
                flags=_EXTENTS,
                block=self._root(number),
            )
        if number == RESIZE_INODE and self._resize is not None:
            return self._hidden_file(
                size_bytes=RESIZE_INODE_BYTES,
                blocks_512=self._resize.blocks_512,
                flags=0,
                block=self._resize.block,
            )
        return _UNUSED

    def _entry_record(self, number: int, entry: Inode) -> bytes:
        metadata = entry.metadata
        blocks = sum([extent.length for extent in self._placement.extents.get(number, ())])
        mode, size_bytes, flags, block = self._kind(number, entry, blocks)
        if number in self._placement.index_blocks:
            blocks += len(self._placement.index_blocks[number])
        xattr_block, xattrs = 0, b""
        if metadata.xattrs:
            xattr_block = self._placement.xattr_blocks.get(number, 0)
            xattrs = self._xattrs[number].in_inode
            blocks += xattr_block != 0
        return encode_inode(
            mode=mode | metadata.mode & 0o7777,
            uid=metadata.uid,
            gid=metadata.gid,
            mtime_ns=metadata.mtime_ns,
            size_bytes=size_bytes,
            links=self._links[number],
            blocks_512=blocks * _SECTORS_PER_BLOCK,
            flags=flags,
            block=block,
            xattr_block=xattr_block,
            xattrs=xattrs,
        )

    def _kind(self, number: int, entry: Inode, blocks: int) -> tuple[int, int, int, bytes]:
        """``i_mode`` without permissions, ``i_size``, ``i_flags`` and ``i_block``."""
        if isinstance(entry, RegularFile):
            size_bytes = entry.content.size_bytes
            return FileType.MODE_REGULAR, size_bytes, _EXTENTS, self._root(number)
        if isinstance(entry, Directory):
            flags = _EXTENTS | _INDEX if blocks > 1 else _EXTENTS
            return FileType.MODE_DIRECTORY, blocks * BLOCK_BYTES, flags, self._root(number)
        if isinstance(entry, Symlink):
            length = len(entry.target)
            if length <= FAST_SYMLINK_MAX_BYTES:
                return FileType.MODE_SYMLINK, length, 0, entry.target
            return FileType.MODE_SYMLINK, length, _EXTENTS, self._root(number)
        if isinstance(entry, Device):
            mode = FileType.MODE_BLOCK if entry.is_block else FileType.MODE_CHARACTER
            return mode, 0, 0, encode_device(entry.major, entry.minor)
        return FileType.MODE_FIFO, 0, 0, b""

    def _hidden_file(self, *, size_bytes: int, blocks_512: int, flags: int, block: bytes) -> bytes:
        """A file of the file system itself, which no name leads to."""
        return encode_inode(
            mode=FileType.MODE_REGULAR | 0o600,
            uid=0,
            gid=0,
            mtime_ns=self._created_ns,
            size_bytes=size_bytes,
            links=1,
            blocks_512=blocks_512,
            flags=flags,
            block=block,
            xattr_block=0,
            xattrs=b"",
        )

    def _root(self, number: int) -> bytes:
        extents = self._placement.extents.get(number, ())
        return self._tree_roots[number] if len(extents) > ROOT_ENTRIES else encode_root(extents)
