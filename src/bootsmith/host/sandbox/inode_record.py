"""A file of a directory tree as plain data, for the processes that put trees on disk.

These are what crosses between bootsmith and the process that keeps a sandbox; ``sandbox/``
makes them from the entries of a ``FileTree`` and turns them back.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

Xattrs: TypeAlias = "tuple[tuple[bytes, bytes], ...]"


class DataRun(NamedTuple):
    """A stretch of a file's data, ``offset`` bytes from its start.

    ``data`` holds the bytes themselves, or the number of the source they are in; then they
    are the ``size_bytes`` bytes from ``source_offset``.
    """

    offset: int
    data: bytes | int
    source_offset: int
    size_bytes: int


class InodeRecord(NamedTuple):
    """One path.

    ``mode`` is ``st_mode``: type and permission bits; a hard link has type 0 and only
    ``target`` besides its path.  ``target`` is also a symlink's text.  ``device`` is
    ``st_rdev``.  ``size_bytes`` counts the holes between the ``runs``.
    """

    path: bytes
    mode: int
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 0
    xattrs: Xattrs = ()
    target: bytes = b""
    device: int = 0
    size_bytes: int = 0
    runs: tuple[DataRun, ...] = ()


HARD_LINK = 0
