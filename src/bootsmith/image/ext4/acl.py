"""POSIX access control lists, in the two forms they have.

Archives and system calls carry them as extended attributes in a portable form
(``struct posix_acl_xattr_entry``, eight bytes an entry, version 2).  ext4 keeps a shorter one
(``ext4_acl_entry``, version 1), where only named users and groups have an id.
"""

from __future__ import annotations

from struct import Struct

from bootsmith.errors import ArchiveError

_HEADER = Struct("<I")
_PORTABLE_VERSION = 2
_EXT4_VERSION = 1
_SHORT = Struct("<HH")  # tag, permissions
_FULL = Struct("<HHI")  # tag, permissions, id

_UNNAMED = frozenset({0x01, 0x04, 0x10, 0x20})  # USER_OBJ, GROUP_OBJ, MASK, OTHER
_NAMED = frozenset({0x02, 0x08})  # USER, GROUP
_NO_ID = 0xFFFF_FFFF


def to_ext4(portable: bytes) -> bytes:
    """The portable form as ext4's.  Raises ``ArchiveError`` when it is malformed."""
    _check_version(portable, _PORTABLE_VERSION)
    if (len(portable) - _HEADER.size) % _FULL.size:
        raise ArchiveError("an access control list ends within an entry")
    parts = [_HEADER.pack(_EXT4_VERSION)]
    for tag, permissions, identity in _FULL.iter_unpack(portable[_HEADER.size :]):
        if tag in _NAMED:
            parts.append(_FULL.pack(tag, permissions, identity))
        elif tag in _UNNAMED:
            parts.append(_SHORT.pack(tag, permissions))
        else:
            raise ArchiveError(f"an access control list has an entry of unknown kind {tag:#x}")
    return b"".join(parts)


def from_ext4(stored: bytes) -> bytes:
    """ext4's form as the portable one.  Raises ``ArchiveError`` when it is malformed."""
    _check_version(stored, _EXT4_VERSION)
    parts = [_HEADER.pack(_PORTABLE_VERSION)]
    offset = _HEADER.size
    while offset < len(stored):
        tag = int.from_bytes(stored[offset : offset + 2], "little")
        layout = _FULL if tag in _NAMED else _SHORT
        if tag not in _NAMED | _UNNAMED or offset + layout.size > len(stored):
            raise ArchiveError("an access control list is malformed", offset=offset)
        _, permissions, *identity = layout.unpack_from(stored, offset)
        parts.append(_FULL.pack(tag, permissions, identity[0] if identity else _NO_ID))
        offset += layout.size
    return b"".join(parts)


def _check_version(acl: bytes, wanted: int) -> None:
    if len(acl) < _HEADER.size or _HEADER.unpack_from(acl)[0] != wanted:
        raise ArchiveError(f"an access control list is not of version {wanted}")
