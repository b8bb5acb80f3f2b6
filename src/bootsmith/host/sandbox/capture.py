"""What changed in a directory since it was looked at before.

That takes one walk with a ``stat`` a file (``comparison`` says why it is enough): 0.05 s for
10,000 files.
"""

# ruff: noqa: PTH115, PTH118
# Names inside a tree are bytes, which a Path cannot hold.

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Collection, Iterator
from typing import NamedTuple

from bootsmith.host.sandbox.comparison import Seen, Snapshot, changes
from bootsmith.host.sandbox.holes import HOLE_BYTES, stretches
from bootsmith.host.sandbox.inode_record import HARD_LINK, DataRun, InodeRecord, Xattrs

_CLOCK_REALTIME_COARSE = 5  # <linux/time.h>
_COPY_BYTES = 8 << 20


class Difference(NamedTuple):
    """``changed`` as records, parents first; their data is in ``content``, source number 0.

    ``removed`` holds no path below another one that is removed.
    """

    changed: list[InodeRecord]
    removed: list[bytes]


def look(root: bytes, *, excluded: Collection[bytes] = ()) -> Snapshot:
    """Every path below ``root`` by its path relative to it; ``b""`` is the root itself.

    The directories ``excluded`` are not looked at, nor what is inside them.
    """
    seen: Snapshot = {b"": _seen(root, os.lstat(root))}
    known = frozenset(excluded)
    # Not by recursion: whoever runs in the tree decides how deep it is.
    pending = [(root, b"")]
    while pending:
        folder, prefix = pending.pop()
        pending += reversed(_folders_in(folder, prefix, seen, known))
    return seen


def wait_for_next_tick() -> None:
    """Wait until a file changed from now on has another change time than one changed before.

    File systems take the time from a clock that stands still for up to 10 ms.
    """
    start = time.clock_gettime_ns(_CLOCK_REALTIME_COARSE)
    while time.clock_gettime_ns(_CLOCK_REALTIME_COARSE) == start:
        time.sleep(0.001)


def difference(
    root: bytes, before: Snapshot, after: Snapshot, *, ignored: Collection[bytes], content: int
) -> Difference:
    """What a second look found changed; the changed files' data is written to ``content``.

    See ``changes`` for ``ignored``.  ``content`` is a file descriptor, written from its
    beginning.
    """
    found, removed = changes(before, after, ignored=ignored)
    writer = _Content(content)
    changed = [
        _record(root, path, now, writer)
        if first is None
        else InodeRecord(path=path, mode=HARD_LINK, target=first)
        for path, now, first in found
    ]
    return Difference(changed, removed)


def _folders_in(
    folder: bytes, prefix: bytes, seen: Snapshot, excluded: frozenset[bytes]
) -> list[tuple[bytes, bytes]]:
    """Note what is in ``folder``; the folders among it are returned, with the prefix of what is
    in them."""
    folders = []
    with os.scandir(folder) as entries:
        for entry in entries:
            path = prefix + entry.name
            if path in excluded:
                continue
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISSOCK(status.st_mode):  # no archive can hold one, and nobody listens
                continue
            seen[path] = _seen(entry.path, status)
            if stat.S_ISDIR(status.st_mode):
                folders.append((entry.path, path + b"/"))
    return folders


def _seen(path: bytes, status: os.stat_result) -> Seen:
    return Seen(
        status.st_ino,
        status.st_ctime_ns,
        status.st_size,
        status.st_mode,
        status.st_uid,
        status.st_gid,
        status.st_mtime_ns,
        status.st_rdev,
        status.st_nlink,
        read_xattrs(path) if stat.S_ISDIR(status.st_mode) else None,
    )


def _record(root: bytes, path: bytes, now: Seen, content: _Content) -> InodeRecord:
    full = os.path.join(root, path) if path else root
    target = b""
    runs: tuple[DataRun, ...] = ()
    size_bytes = 0
    if stat.S_ISREG(now.mode):
        runs, size_bytes = content.add(full)
    elif stat.S_ISLNK(now.mode):
        target = os.readlink(full)
    return InodeRecord(
        path=path,
        mode=now.mode,
        uid=now.uid,
        gid=now.gid,
        mtime_ns=now.mtime_ns,
        xattrs=read_xattrs(full),
        target=target,
        device=now.device,
        size_bytes=size_bytes,
        runs=runs,
    )


def read_xattrs(path: bytes) -> Xattrs:
    """The extended attributes of ``path`` itself, sorted; none where there can be none."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return ()
        raise
    return tuple(
        sorted(
            (os.fsencode(name), os.getxattr(path, name, follow_symlinks=False)) for name in names
        )
    )


class _Content:
    """The data of changed files, one behind the other."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._end = 0

    def add(self, path: bytes) -> tuple[tuple[DataRun, ...], int]:
        """The runs of the file at ``path`` and its size; its holes stay holes."""
        source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            size_bytes = os.fstat(source).st_size
            runs = []
            for start, end in stretches(_blocks_with_data(source, size_bytes), size_bytes):
                runs.append(DataRun(start, 0, self._end, end - start))
                self._copy(source, start, end - start)
            return tuple(runs), size_bytes
        finally:
            os.close(source)

    def _copy(self, source: int, offset: int, size_bytes: int) -> None:
        end = offset + size_bytes
        while offset < end:
            data = os.pread(source, min(_COPY_BYTES, end - offset), offset)
            if not data:
                raise OSError(errno.EIO, "a file shrank while it was read")
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
            offset += len(data)
            self._end += len(data)


def _blocks_with_data(fd: int, size_bytes: int) -> Iterator[int]:
    position = 0
    while position < size_bytes:
        try:
            position = os.lseek(fd, position, os.SEEK_DATA) // HOLE_BYTES * HOLE_BYTES
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                return
            raise
        if os.pread(fd, HOLE_BYTES, position).strip(b"\0"):
            yield position
        position += HOLE_BYTES
