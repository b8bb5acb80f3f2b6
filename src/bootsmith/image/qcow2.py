"""What a qcow2 file's header admits to (QEMU's docs/interop/qcow2.rst).

A disk from a stranger may name other files: one it is based on (a backing file) or one that holds
its data (an external data file).  QEMU opens them wherever they lie, so a guest could read any
file of this machine that its user can.  Which files a disk has is decided here and not by it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from bootsmith.errors import ArchiveError
from bootsmith.model.streams import ByteSource

MAGIC = b"QFI\xfb"

_HEADER = struct.Struct(">4sIQIIQI")  # magic … backing file's place and length … crypt_method
assert _HEADER.size == 36
_FEATURES = struct.Struct(">Q"), 72  # incompatible_features, from version 3 on
_NAME_MAX_BYTES = 1023
# Dirty, corrupt, another compression, extended L2 entries.  Bit 2 is the external data file.
_HARMLESS_FEATURES = 0b11011


@dataclass(frozen=True, slots=True, kw_only=True)
class Qcow2Header:
    """``backing`` is the name of the backing file, ``None`` without one."""

    virtual_size_bytes: int
    backing: str | None


def read_header(source: ByteSource) -> Qcow2Header:
    """The header of the qcow2 file ``source``.

    Raises ``ArchiveError`` when it is none, and for one whose data lie in another file, that is
    encrypted, or that needs what is not known here.
    """
    head = source.read_at(0, _HEADER.size)
    if len(head) < _HEADER.size or not head.startswith(MAGIC):
        raise ArchiveError("it is no qcow2 file")
    _, version, at, length, _, virtual_size_bytes, encryption = _HEADER.unpack(head)
    if version not in (2, 3):
        raise ArchiveError(f"it is of qcow2's version {version}")
    if encryption:
        raise ArchiveError("it is an encrypted qcow2 file")
    if version == 3:
        form, place = _FEATURES
        raw = source.read_at(place, form.size)
        features = form.unpack(raw)[0] if len(raw) == form.size else ~0
        if features & ~_HARMLESS_FEATURES:
            raise ArchiveError("its data lie in another file, or it needs an unknown feature")
    if not at:
        return Qcow2Header(virtual_size_bytes=virtual_size_bytes, backing=None)
    if not 0 < length <= _NAME_MAX_BYTES:
        raise ArchiveError("its backing file has no proper name")
    name = source.read_at(at, length).decode("utf-8", "replace")
    return Qcow2Header(virtual_size_bytes=virtual_size_bytes, backing=name)


def require_self_contained(source: ByteSource) -> None:
    """Raises ``ArchiveError`` for a qcow2 file that leads QEMU to any other file."""
    backing = read_header(source).backing
    if backing is not None:
        raise ArchiveError(f"it is based on another file, {backing!r}")
