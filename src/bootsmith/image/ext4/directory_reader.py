"""The names in a directory of an image, hashed or not, with its checksums checked."""

from __future__ import annotations

from collections.abc import Iterator

from bootsmith.errors import ArchiveError
from bootsmith.image.ext4.block_map import BlockClaims, read_extents
from bootsmith.image.ext4.checksum import crc32c
from bootsmith.image.ext4.directory import Listed, decode_block
from bootsmith.image.ext4.structures import (
    DIRENT,
    DIRENT_TAIL,
    DIRENT_TAIL_TYPE,
    DX_COUNT_LIMIT,
    DX_ENTRY,
    DX_TAIL,
    InodeFlag,
)
from bootsmith.image.ext4.volume import FoundInode, Volume

_DOTS = frozenset({b".", b".."})
_ROOT_HEAD_BYTES = 32
_NODE_HEAD_BYTES = 8


def read_directory(volume: Volume, directory: FoundInode, claims: BlockClaims) -> Iterator[Listed]:
    """Every name but ``.`` and ``..``.

    The blocks of an index look like blocks without entries, so that a hashed directory is
    read like any other.  Raises ``ArchiveError`` for what is malformed, for names no path can
    have, and for two entries of one name.
    """
    names: set[bytes] = set()
    for extent in read_extents(volume, directory, claims):
        for step in range(extent.length):
            if (extent.logical + step) * volume.block_bytes >= directory.size_bytes:
                return
            block = volume.read_block(claims.claim(extent.physical + step))
            if directory.seed is not None:
                _check_block(block, directory, is_first=extent.logical + step == 0)
            for listed in decode_block(block):
                if listed.name in _DOTS:
                    continue
                if not listed.name or b"/" in listed.name or b"\0" in listed.name:
                    raise ArchiveError(f"directory {directory.number} has an impossible name")
                if listed.name in names:
                    raise ArchiveError(f"directory {directory.number} has a name twice")
                names.add(listed.name)
                yield listed


def _check_block(block: bytes, directory: FoundInode, *, is_first: bool) -> None:
    assert directory.seed is not None
    head = _index_head_bytes(block, is_first=is_first)
    if directory.flags & InodeFlag.INDEX and head:
        limit, count = DX_COUNT_LIMIT.unpack_from(block, head)
        tail = head + limit * DX_ENTRY.size
        if count > limit or tail + DX_TAIL.size > len(block):
            raise ArchiveError(f"directory {directory.number} has a malformed index")
        reserved_and_blank = block[tail : tail + 4] + bytes(4)
        covered = block[: head + count * DX_ENTRY.size] + reserved_and_blank
        found = int.from_bytes(block[tail + 4 : tail + 8], "little")
    else:
        covered = block[: -DIRENT_TAIL.size]
        inode, length, _, kind, found = DIRENT_TAIL.unpack_from(block, len(covered))
        if inode or length != DIRENT_TAIL.size or kind != DIRENT_TAIL_TYPE:
            raise ArchiveError(f"directory {directory.number} has a block without a checksum")
    if crc32c(directory.seed, covered) != found:
        raise ArchiveError(f"the checksum of a block of directory {directory.number} is wrong")


def _index_head_bytes(block: bytes, *, is_first: bool) -> int:
    """Where the pointers begin in a block of an index; 0 for a block of entries."""
    if is_first:
        return _ROOT_HEAD_BYTES
    inode, length, _, _ = DIRENT.unpack_from(block)
    whole = len(block) if len(block) < 1 << 16 else 0xFFFF
    return _NODE_HEAD_BYTES if inode == 0 and length in {whole, 0} else 0
