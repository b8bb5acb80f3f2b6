"""Extended attributes: in the inode as far as they fit, the rest in one block.

Entries grow from the front, values from the back.  ext4 writes the well-known beginnings of
names as a number, and access control lists in a form of its own (``acl``).
"""

from __future__ import annotations

from typing import NamedTuple

from bootsmith.errors import ArchiveError, ImageError
from bootsmith.image.ext4 import acl
from bootsmith.image.ext4.checksum import crc32c
from bootsmith.image.ext4.structures import (
    BLOCK_BYTES,
    EXTRA_INODE_BYTES,
    INODE_BYTES,
    XATTR_BLOCK_HEADER,
    XATTR_ENTRY,
    XATTR_INODE_HEADER,
    XATTR_MAGIC,
)
from bootsmith.model.guest_path import display
from bootsmith.tree.entry import Xattrs

INODE_AREA_BYTES = INODE_BYTES - 128 - EXTRA_INODE_BYTES
_END = bytes(4)
_CHECKSUM_OFFSET = 16  # of h_checksum
_ACLS = frozenset({2, 3})
_PREFIXES = {
    2: b"system.posix_acl_access",
    3: b"system.posix_acl_default",
    1: b"user.",
    4: b"trusted.",
    6: b"security.",
    8: b"system.richacl",
    7: b"system.",
}
_WHOLE_NAMES = frozenset({2, 3, 8})


class StoredXattrs(NamedTuple):
    """``in_inode`` follows the inode's fields; ``block`` lacks its checksum, and may be empty."""

    in_inode: bytes
    block: bytes


class _Attribute(NamedTuple):
    """Sorted as e2fsck wants it: by prefix number, length of name, name."""

    prefix: int
    name_length: int
    name: bytes
    value: bytes

    @property
    def size(self) -> int:
        return _round_up(XATTR_ENTRY.size + self.name_length) + _round_up(len(self.value))


def encode_xattrs(xattrs: Xattrs) -> StoredXattrs:
    """Both places' bytes.

    Raises ``ImageError`` for a name ext4 has no number for, or for more than a block holds.
    """
    attributes = sorted(_attribute(name, value) for name, value in xattrs)
    room = INODE_AREA_BYTES - XATTR_INODE_HEADER.size - len(_END)
    inside: list[_Attribute] = []
    outside: list[_Attribute] = []
    for attribute in attributes:
        if attribute.size <= room:
            inside.append(attribute)
            room -= attribute.size
        else:
            outside.append(attribute)
    taken = sum(attribute.size for attribute in outside)
    if taken > BLOCK_BYTES - XATTR_BLOCK_HEADER.size - len(_END):
        raise ImageError(
            f"{len(xattrs)} extended attributes need {taken} bytes beside the inode, and ext4 "
            f"has one block of {BLOCK_BYTES} for them"
        )
    return StoredXattrs(_inode_area(inside) if inside else b"", _block(outside) if outside else b"")


def seal_block(block: bytes, number: int, seed: int) -> bytes:
    """``block`` with the checksum for its place; ``seed`` is that of the file system's UUID."""
    checksum = crc32c(crc32c(seed, number.to_bytes(8, "little")), block)
    end = _CHECKSUM_OFFSET + 4
    return block[:_CHECKSUM_OFFSET] + checksum.to_bytes(4, "little") + block[end:]


def decode_inode_area(area: bytes) -> list[tuple[bytes, bytes]]:
    """The attributes behind an inode's fields.  Raises ``ArchiveError`` when malformed."""
    if (
        len(area) < XATTR_INODE_HEADER.size
        or XATTR_INODE_HEADER.unpack_from(area)[0] != XATTR_MAGIC
    ):
        return []
    entries = area[XATTR_INODE_HEADER.size :]
    return _decode(entries, 0, entries)


def decode_block(block: bytes, number: int, seed: int | None) -> list[tuple[bytes, bytes]]:
    """The attributes in a block of their own; with a ``seed`` its checksum is checked too.

    Raises ``ArchiveError`` when malformed.
    """
    magic, _, blocks, _, checksum = XATTR_BLOCK_HEADER.unpack_from(block)
    if magic != XATTR_MAGIC or blocks != 1:
        raise ArchiveError(f"block {number} holds no extended attributes")
    if seed is not None:
        end = _CHECKSUM_OFFSET + 4
        blank = block[:_CHECKSUM_OFFSET] + bytes(4) + block[end:]
        if crc32c(crc32c(seed, number.to_bytes(8, "little")), blank) != checksum:
            raise ArchiveError(
                f"the checksum of the extended attributes in block {number} is wrong"
            )
    return _decode(block, XATTR_BLOCK_HEADER.size, block)


def _attribute(name: bytes, value: bytes) -> _Attribute:
    for index, prefix in _PREFIXES.items():
        if name == prefix if index in _WHOLE_NAMES else name.startswith(prefix):
            suffix = name[len(prefix) :]
            if len(suffix) > 0xFF or (not suffix and index not in _WHOLE_NAMES):
                break
            stored = acl.to_ext4(value) if index in _ACLS else value
            return _Attribute(index, len(suffix), suffix, stored)
    raise ImageError(f"ext4 has no place for an extended attribute named {display(name)!r}")


def _inode_area(attributes: list[_Attribute]) -> bytes:
    # the kernel leaves the hash of entries in an inode zero
    room = INODE_AREA_BYTES - XATTR_INODE_HEADER.size
    entries, values = _table(attributes, end=room, hashes=[0] * len(attributes))
    return XATTR_INODE_HEADER.pack(XATTR_MAGIC) + entries + values.rjust(room - len(entries), b"\0")


def _block(attributes: list[_Attribute]) -> bytes:
    hashes = [_entry_hash(attribute) for attribute in attributes]
    entries, values = _table(attributes, end=BLOCK_BYTES, hashes=hashes)
    header = XATTR_BLOCK_HEADER.pack(XATTR_MAGIC, 1, 1, _block_hash(hashes), 0)
    return header + entries + values.rjust(BLOCK_BYTES - len(header) - len(entries), b"\0")


def _table(attributes: list[_Attribute], *, end: int, hashes: list[int]) -> tuple[bytes, bytes]:
    """Entries with their end mark, and values, whose offsets count back from ``end``."""
    entries: list[bytes] = []
    values: list[bytes] = []
    for (index, name_length, name, value), entry_hash in zip(attributes, hashes, strict=True):
        end -= _round_up(len(value))
        offset = end if value else 0
        entry = XATTR_ENTRY.pack(name_length, index, offset, 0, len(value), entry_hash) + name
        entries.append(entry.ljust(_round_up(len(entry)), b"\0"))
        values.append(value.ljust(_round_up(len(value)), b"\0"))
    return b"".join([*entries, _END]), b"".join(reversed(values))


def _entry_hash(attribute: _Attribute) -> int:
    """``ext4_xattr_hash_entry``."""
    result = 0
    for byte in attribute.name:
        result = (result << 5 ^ result >> 27 ^ byte) & 0xFFFF_FFFF
    value = attribute.value.ljust(_round_up(len(attribute.value)), b"\0")
    for offset in range(0, len(value), 4):
        word = int.from_bytes(value[offset : offset + 4], "little")
        result = (result << 16 ^ result >> 16 ^ word) & 0xFFFF_FFFF
    return result


def _block_hash(hashes: list[int]) -> int:
    """``ext4_xattr_rehash``: zero, which means not to be shared, if any entry's is."""
    if 0 in hashes:
        return 0
    result = 0
    for entry_hash in hashes:
        result = (result << 16 ^ result >> 16 ^ entry_hash) & 0xFFFF_FFFF
    return result


def _decode(table: bytes, offset: int, values: bytes) -> list[tuple[bytes, bytes]]:
    found: list[tuple[bytes, bytes]] = []
    while table[offset : offset + 4] != _END:
        if offset + XATTR_ENTRY.size > len(table):
            raise ArchiveError("extended attributes have no end", offset=offset)
        name_length, index, start, in_inode, size, _ = XATTR_ENTRY.unpack_from(table, offset)
        name_start = offset + XATTR_ENTRY.size
        name = table[name_start : name_start + name_length]
        if in_inode:
            raise ArchiveError("an extended attribute in an inode of its own is not supported")
        if len(name) != name_length or start + size > len(values):
            raise ArchiveError("an extended attribute leads out of its block", offset=offset)
        value = values[start : start + size]
        if index in _ACLS:
            value = acl.from_ext4(value)
        found.append((_full_name(index, name), value))
        offset = name_start + _round_up(name_length)
    return found


def _full_name(index: int, suffix: bytes) -> bytes:
    prefix = _PREFIXES.get(index)
    if prefix is None or (suffix and index in _WHOLE_NAMES):
        raise ArchiveError(f"an extended attribute has the unknown name index {index}")
    return prefix + suffix


def _round_up(size: int) -> int:
    return (size + 3) & ~3
