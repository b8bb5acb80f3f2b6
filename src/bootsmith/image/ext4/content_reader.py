"""What belongs to an inode of an image: content, target of a link, attributes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bootsmith.errors import ArchiveError
from bootsmith.image.ext4.block_map import BlockClaims, read_extents
from bootsmith.image.ext4.inode import FAST_SYMLINK_MAX_BYTES
from bootsmith.image.ext4.structures import InodeFlag
from bootsmith.image.ext4.volume import FoundInode, Volume
from bootsmith.image.ext4.xattr import decode_block, decode_inode_area
from bootsmith.model.digest import Digest
from bootsmith.tree.entry import BlobSlice, Content, InlineBytes, Run, SparseContent, Xattrs


class FileRange(NamedTuple):
    """``size_bytes`` bytes of a file from its byte ``start``, at ``offset`` in the image."""

    start: int
    offset: int
    size_bytes: int


def file_ranges(volume: Volume, inode: FoundInode, claims: BlockClaims) -> Iterator[FileRange]:
    """The stretches of a file that are not holes, cut at its size."""
    for extent in read_extents(volume, inode, claims):
        start = extent.logical * volume.block_bytes
        size = min(extent.length * volume.block_bytes, inode.size_bytes - start)
        if size > 0:
            yield FileRange(start, extent.physical * volume.block_bytes, size)


def read_content(volume: Volume, inode: FoundInode, image: Digest, claims: BlockClaims) -> Content:
    """A file's content as slices of ``image``."""
    ranges = list(file_ranges(volume, inode, claims))
    if not inode.size_bytes:
        return InlineBytes(b"")
    if len(ranges) == 1 and ranges[0].size_bytes == inode.size_bytes:
        return BlobSlice(image, ranges[0].offset, inode.size_bytes)
    runs = [Run(start, BlobSlice(image, offset, size)) for start, offset, size in ranges]
    return SparseContent(inode.size_bytes, tuple(runs))


def read_target(volume: Volume, inode: FoundInode, claims: BlockClaims) -> bytes:
    """Where a symbolic link leads."""
    size = inode.size_bytes
    if not inode.flags & InodeFlag.EXTENTS and size <= FAST_SYMLINK_MAX_BYTES:
        target = inode.block[:size]
    else:
        ranges = list(file_ranges(volume, inode, claims))
        if len(ranges) != 1 or not 0 < ranges[0].size_bytes == size <= volume.block_bytes:
            raise ArchiveError(f"the symbolic link in inode {inode.number} is malformed")
        target = volume.read(ranges[0].offset, size)
    if not target or b"\0" in target:
        raise ArchiveError(f"the symbolic link in inode {inode.number} is malformed")
    return target


def read_xattrs(volume: Volume, inode: FoundInode) -> Xattrs:
    """The extended attributes of an inode, sorted by name."""
    if not inode.xattr_block and not any(inode.xattr_area[:4]):
        return ()
    found = decode_inode_area(inode.xattr_area)
    if inode.xattr_block:
        block = volume.read_block(inode.xattr_block)
        found += decode_block(block, inode.xattr_block, volume.seed)
    if len({name for name, _ in found}) != len(found):
        raise ArchiveError(f"inode {inode.number} has an extended attribute twice")
    return tuple(sorted(found))
