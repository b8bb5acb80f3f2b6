"""Which blocks of the disk an inode's content lies in: extents, or the block maps of ext2."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from bootsmith.errors import ArchiveError
from bootsmith.image.ext4.extents import Extent, decode_node
from bootsmith.image.ext4.structures import InodeFlag
from bootsmith.image.ext4.volume import FoundInode, Volume

_DIRECT_BLOCKS = 12


class BlockClaims:
    """Blocks of metadata met so far.

    No block is part of two directories or trees, so one that is met again means a loop: this
    is what bounds every walk through a damaged or hostile image.
    """

    def __init__(self) -> None:
        self._claimed: set[int] = set()

    def claim(self, number: int) -> int:
        """``number`` itself.  Raises ``ArchiveError`` when it was claimed before."""
        if number in self._claimed:
            raise ArchiveError(f"block {number} is used twice")
        self._claimed.add(number)
        return number


def read_extents(volume: Volume, inode: FoundInode, claims: BlockClaims) -> list[Extent]:
    """Where the content of ``inode`` lies, in order, neighbours joined; holes are left out.

    Raises ``ArchiveError`` for extents that overlap or leave the file system.
    """
    if inode.flags & (InodeFlag.INLINE_DATA | InodeFlag.ENCRYPT):
        raise ArchiveError(f"inode {inode.number} has inline or encrypted content")
    if inode.flags & InodeFlag.EXTENTS:
        found = _walk_extents(volume, inode, claims)
    else:
        found = _walk_block_map(volume, inode, claims)
    extents: list[Extent] = []
    for extent in found:
        first, end = extent.physical, extent.physical + extent.length
        if first < volume.superblock.first_data_block or end > volume.block_count:
            raise ArchiveError(f"inode {inode.number} has blocks outside the file system")
        if extents:
            last = extents[-1]
            gap = extent.logical - (last.logical + last.length)
            if gap < 0:
                raise ArchiveError(f"inode {inode.number} has extents that overlap")
            if gap == 0 and last.physical + last.length == first:
                extents[-1] = last._replace(length=last.length + extent.length)
                continue
        extents.append(extent)
    return extents


def _walk_extents(volume: Volume, inode: FoundInode, claims: BlockClaims) -> Iterator[Extent]:
    node = decode_node(inode.block, inode.seed)
    yield from node.extents
    pending = [(child, node.depth - 1) for child in reversed(node.children)]
    while pending:
        number, depth = pending.pop()
        node = decode_node(volume.read_block(claims.claim(number)), inode.seed)
        if node.depth != depth:
            raise ArchiveError(f"the extent tree of inode {inode.number} has an uneven depth")
        yield from node.extents
        pending += [(child, depth - 1) for child in reversed(node.children)]


def _walk_block_map(volume: Volume, inode: FoundInode, claims: BlockClaims) -> Iterator[Extent]:
    """``i_block`` of ext2: twelve blocks, then one, two and three levels of indirection."""
    pointers = struct.unpack("<15I", inode.block)
    for logical, number in enumerate(pointers[:_DIRECT_BLOCKS]):
        if number:
            yield Extent(logical, number, 1)
    logical = _DIRECT_BLOCKS
    per_block = volume.block_bytes // 4
    for level, number in enumerate(pointers[_DIRECT_BLOCKS:], start=1):
        if number:
            yield from _walk_indirect(volume, number, level, logical, claims)
        logical += per_block**level


def _walk_indirect(
    volume: Volume, number: int, level: int, logical: int, claims: BlockClaims
) -> Iterator[Extent]:
    data = volume.read_block(claims.claim(number))
    per_block = len(data) // 4
    span = per_block ** (level - 1)
    for index, child in enumerate(struct.unpack(f"<{per_block}I", data)):
        if not child:
            continue
        start = logical + index * span
        if level == 1:
            yield Extent(start, child, 1)
        else:
            yield from _walk_indirect(volume, child, level - 1, start, claims)
