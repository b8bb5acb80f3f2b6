"""Paths inside a guest.

A guest path is bytes, because Linux file names are bytes and legal archives hold names that
are not UTF-8.  It is relative to the guest's root, without a leading, trailing or doubled
slash and without ``.`` or ``..``; the root itself is ``b""``.  With that form, a plain sort
puts every directory before its contents, and a path can be joined to nothing outside.
"""

from __future__ import annotations

import os
from typing import NewType

from bootsmith.errors import UnsafePath

GuestPath = NewType("GuestPath", bytes)

ROOT = GuestPath(b"")
NAME_MAX_BYTES = 255


def guest_path(path: str | bytes) -> GuestPath:
    """The guest path that ``path`` names, whether or not it begins with a slash.

    ``.`` segments and doubled slashes are dropped.  Raises ``UnsafePath`` for a ``..``
    segment, a NUL byte or a name over 255 bytes.
    """
    raw = os.fsencode(path)
    if b"\0" in raw:
        raise UnsafePath(f"a path holds a NUL byte: {raw!r}", member=display(raw))
    names = [name for name in raw.split(b"/") if name not in (b"", b".")]
    for name in names:
        if name == b"..":
            raise UnsafePath(f"a path climbs with '..': {display(raw)}", member=display(raw))
        if len(name) > NAME_MAX_BYTES:
            raise UnsafePath(
                f"a file name has {len(name)} bytes, {NAME_MAX_BYTES} is the most Linux takes: "
                f"{display(raw)}",
                member=display(raw),
            )
    return GuestPath(b"/".join(names))


def parent(path: GuestPath) -> GuestPath:
    """The directory that holds ``path``; the root is its own parent."""
    return GuestPath(path.rpartition(b"/")[0])


def ancestors(path: GuestPath) -> list[GuestPath]:
    """The directories above ``path``, the outermost first, without the root."""
    segments = path.split(b"/")
    return [GuestPath(b"/".join(segments[:depth])) for depth in range(1, len(segments))]


def name(path: GuestPath) -> bytes:
    """The last segment; empty for the root."""
    return path.rpartition(b"/")[2]


def join(directory: GuestPath, name: bytes) -> GuestPath:
    """``name`` inside ``directory``."""
    return GuestPath(directory + b"/" + name if directory else name)


def display(path: bytes) -> str:
    """``path`` for a person to read, undecodable bytes as escapes."""
    return path.decode("utf-8", "backslashreplace")
