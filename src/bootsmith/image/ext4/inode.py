"""Inodes: an entry's metadata in 256 bytes, and back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from bootsmith.errors import ImageError
from bootsmith.image.ext4.checksum import crc32c_each
from bootsmith.image.ext4.structures import (
    BLOCK_BYTES,
    EXTRA_INODE_BYTES,
    INODE,
    INODE_BYTES,
    INODE_CHECKSUM_HI_OFFSET,
    INODE_CHECKSUM_LO_OFFSET,
)
from bootsmith.tree.entry import Metadata

FAST_SYMLINK_MAX_BYTES: Final = 59  # longer targets need a block

_SECTORS_PER_BLOCK = BLOCK_BYTES // 512
_NO_XATTRS = bytes(INODE_BYTES - INODE.size)
_UNUSED = bytes(INODE_BYTES)
_SECOND = 1_000_000_000
_TIME_MIN_S = -(1 << 31)
_TIME_MAX_S = (1 << 34) - (1 << 31) - 1  # two more bits: the year 2446
_ID_MAX = (1 << 32) - 2  # the one above means "no id"
_MAJOR_BITS, _MINOR_BITS = 12, 20


class DeviceNumber(NamedTuple):
    major: int
    minor: int


def encode_inode(
    kind: int,
    metadata: Metadata,
    *,
    size_bytes: int,
    links: int,
    blocks: int,
    flags: int,
    block: bytes,
    xattr_block: int = 0,
    xattrs: bytes = b"",
) -> bytes:
    """``struct ext4_inode`` and the attributes behind it, its checksum still zero.

    ``kind`` is the part of ``i_mode`` that tells the type, ``blocks`` all that belong to the
    inode.  Its four times are all ``metadata.mtime_ns``, as nothing else is known of an entry.
    """
    mode, uid, gid, mtime_ns, _ = metadata
    seconds, extra = encode_time(mtime_ns)
    blocks_512 = blocks * _SECTORS_PER_BLOCK
    return INODE.pack(
        kind | mode & 0o7777, uid & 0xFFFF, size_bytes & 0xFFFF_FFFF,
        seconds, seconds, seconds, 0,
        gid & 0xFFFF, links, blocks_512 & 0xFFFF_FFFF, flags, 0,
        block,
        0, xattr_block, size_bytes >> 32, 0,
        blocks_512 >> 32, 0, uid >> 16, gid >> 16, 0, 0,
        EXTRA_INODE_BYTES, 0, extra, extra, extra, seconds, extra, 0, 0,
    ) + (xattrs or _NO_XATTRS)  # fmt: skip


def seal_inodes(numbers: Sequence[int], records: Sequence[bytes], seed: int) -> bytearray:
    """The records joined, each with its checksum; ``seed`` is that of the file system's UUID.

    An inode never used stays blank, checksum included.
    """
    table = bytearray(b"".join(records))
    sums = crc32c_each(inode_seeds(numbers, seed), records)
    for index, checksum in enumerate(sums):
        if records[index] == _UNUSED:
            continue
        low = index * INODE_BYTES + INODE_CHECKSUM_LO_OFFSET
        high = index * INODE_BYTES + INODE_CHECKSUM_HI_OFFSET
        table[low : low + 2] = (checksum & 0xFFFF).to_bytes(2, "little")
        table[high : high + 2] = (checksum >> 16).to_bytes(2, "little")
    return table


def inode_seeds(numbers: Sequence[int], seed: int) -> list[int]:
    """What the checksums of an inode and of its blocks start from: number and generation 0."""
    return crc32c_each([seed] * len(numbers), [number.to_bytes(8, "little") for number in numbers])


@lru_cache(maxsize=4096)
def encode_time(time_ns: int) -> tuple[int, int]:
    """Seconds and their extension: two more bits of seconds, and nanoseconds.

    A time before 1901 or after 2446 becomes the nearest that fits, as in the kernel.
    """
    seconds, nanoseconds = divmod(time_ns, _SECOND)
    if seconds < _TIME_MIN_S:
        seconds, nanoseconds = _TIME_MIN_S, 0
    elif seconds > _TIME_MAX_S:
        seconds, nanoseconds = _TIME_MAX_S, 0
    return seconds & 0xFFFF_FFFF, nanoseconds << 2 | (seconds + (1 << 31)) >> 32


def decode_time(seconds: int, extra: int) -> int:
    """Nanoseconds since 1970."""
    signed = seconds - (1 << 32) if seconds >> 31 else seconds
    return (signed + ((extra & 3) << 32)) * _SECOND + (extra >> 2)


def encode_device(major: int, minor: int) -> bytes:
    """``i_block`` of a device: the old 16-bit form where it is enough.

    Raises ``ImageError`` for a number over 12 bits of major or 20 of minor.
    """
    if major >> _MAJOR_BITS or minor >> _MINOR_BITS or major < 0 or minor < 0:
        raise ImageError(f"Linux has no device number {major}:{minor}")
    if major < 256 and minor < 256:
        return (major << 8 | minor).to_bytes(4, "little")
    return ((minor & 0xFF | major << 8 | (minor & ~0xFF) << 12) << 32).to_bytes(8, "little")


def decode_device(block: bytes) -> DeviceNumber:
    old = int.from_bytes(block[:4], "little")
    if old:
        return DeviceNumber(old >> 8 & 0xFF, old & 0xFF)
    new = int.from_bytes(block[4:8], "little")
    return DeviceNumber(new >> 8 & 0xFFF, new & 0xFF | new >> 12 & 0xFFF00)


def check_ids(uid: int, gid: int) -> None:
    """Raises ``ImageError`` for an owner that has no 32-bit number."""
    if not (0 <= uid <= _ID_MAX and 0 <= gid <= _ID_MAX):
        raise ImageError(f"Linux has no owner {uid}:{gid}")
