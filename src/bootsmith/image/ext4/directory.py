"""Directory blocks: entries one after the other, the last one reaching to the end.

With metadata_csum every block of entries ends in a checksum that looks like an unused entry
to those who do not know it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bootsmith.errors import ArchiveError
from bootsmith.image.ext4.checksum import crc32c_each
from bootsmith.image.ext4.structures import (
    BLOCK_BYTES,
    DIRENT,
    DIRENT_TAIL,
    DIRENT_TAIL_TYPE,
    FileType,
)

ENTRIES_BYTES = BLOCK_BYTES - DIRENT_TAIL.size
"""What a block has for its entries."""


class Listed(NamedTuple):
    """One name in a directory."""

    name: bytes
    inode: int
    file_type: int


def encode_entry(name: bytes, inode: int, file_type: int) -> bytes:
    """``struct ext4_dir_entry_2``, as short as the name allows."""
    length = (DIRENT.size + len(name) + 3) & ~3
    return DIRENT.pack(inode, length, len(name), file_type) + name.ljust(length - 8, b"\0")


def entry_name(entry: bytes) -> bytes:
    """The name in what ``encode_entry`` made."""
    return entry[DIRENT.size : DIRENT.size + entry[6]]


def dot_entries(inode: int, parent: int) -> list[bytes]:
    """The two entries every directory begins with."""
    return [
        encode_entry(b".", inode, FileType.DIRECTORY),
        encode_entry(b"..", parent, FileType.DIRECTORY),
    ]


def seal_blocks(blocks: Sequence[Sequence[bytes]], seeds: Sequence[int]) -> list[bytes]:
    """Blocks of the given entries, at least one in each, with their checksums.

    A seed is the checksum of the file system's UUID, the directory's inode number and its
    generation.
    """
    filled = [_fill(entries) for entries in blocks]
    return [
        block + DIRENT_TAIL.pack(0, DIRENT_TAIL.size, 0, DIRENT_TAIL_TYPE, checksum)
        for block, checksum in zip(filled, crc32c_each(seeds, filled), strict=True)
    ]


def _fill(entries: Sequence[bytes]) -> bytes:
    """The last entry reaches to the end of what a block has for entries."""
    *others, last = entries
    head = b"".join(others)
    rest = ENTRIES_BYTES - len(head)
    last = last[:4] + rest.to_bytes(2, "little") + last[6:]
    return head + last.ljust(rest, b"\0")


def decode_block(block: bytes) -> Iterator[Listed]:
    """The entries in use of a block of any size, without its checksum's own.

    Raises ``ArchiveError`` for lengths that lead out of the block or nowhere.
    """
    offset = 0
    while offset < len(block):
        if offset + DIRENT.size > len(block):
            raise ArchiveError("a directory entry crosses the end of its block", offset=offset)
        inode, length, name_length, file_type = DIRENT.unpack_from(block, offset)
        if length == 0xFFFF or (length == 0 and len(block) == 1 << 16):
            length = len(block)  # how a 64 KiB block writes its own length
        if length < DIRENT.size + name_length or length % 4 or offset + length > len(block):
            raise ArchiveError(
                f"a directory entry says it has {length} bytes for a name of {name_length}",
                offset=offset,
            )
        if inode:
            start = offset + DIRENT.size
            yield Listed(block[start : start + name_length], inode, file_type)
        offset += length
