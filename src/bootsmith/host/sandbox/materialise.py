"""Putting a tree on disk, with owners, modes, devices and all, as fast as the kernel makes files.

Runs in a process that may give files away: root, or root of a user namespace.  The records
come parents first and every hard link after its target; no path leads through a symlink,
because the parent of each is a record of its own.
"""

# ruff: noqa: PTH101, PTH102, PTH211
# Names inside a tree are bytes, which a Path cannot hold.

from __future__ import annotations

import errno
import mmap
import os
import stat
from collections.abc import Sequence

from bootsmith.host.sandbox.inode_record import HARD_LINK, InodeRecord, Xattrs

_KERNEL_COPY_BYTES = 128 << 10  # below this, a write from the mapping costs fewer system calls
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_NO_XATTR = {errno.EPERM, errno.EACCES, errno.EOPNOTSUPP}
_NO_KERNEL_COPY = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}


class Materialiser:
    """Makes the files of ``records`` below the directory ``root``, which exists and is empty.

    ``sources`` are the files that the records' data is in.  Devices that this process may not
    make (a user namespace may make none) are told in ``left_out``, and attributes that it or
    the file system may not have (``trusted.`` ones, say) by their path in ``unset``.
    """

    def __init__(self, root: bytes, sources: Sequence[bytes]) -> None:
        self._root = root
        self._sources = [_Source(path) for path in sources]
        self.left_out: set[bytes] = set()
        self.unset: dict[bytes, Xattrs] = {}

    def make(self, records: Sequence[InodeRecord]) -> None:
        """Raises ``OSError``."""
        home = os.open(b".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        mask = os.umask(0)
        os.chdir(self._root)  # the kernel walks shorter names faster
        try:
            for record in records:
                self._make(record)
            # A directory's time changes with every file put in it, and its mode may forbid that.
            for record in reversed(records):
                if stat.S_ISDIR(record.mode):
                    self._set_metadata(record)
        finally:
            os.fchdir(home)
            os.close(home)
            os.umask(mask)
            for source in self._sources:
                source.close()

    def _make(self, record: InodeRecord) -> None:
        path, kind = record.path, stat.S_IFMT(record.mode)
        if kind == stat.S_IFREG:
            self._make_file(record)
        elif kind == stat.S_IFDIR:
            if path:
                os.mkdir(path, 0o700)
        elif kind == stat.S_IFLNK:
            os.symlink(record.target, path)
            self._set_metadata(record)
        elif kind == HARD_LINK:
            if record.target in self.left_out:
                self.left_out.add(path)
            else:
                os.link(record.target, path, follow_symlinks=False)
        else:
            self._make_node(record)

    def _make_file(self, record: InodeRecord) -> None:
        path, mode, uid, gid, mtime_ns, xattrs = record[:6]
        fd = os.open(path, _NEW_FILE, mode & 0o777)  # the umask is 0
        try:
            end = 0
            for run in record.runs:
                if run.offset != end:
                    os.lseek(fd, run.offset, os.SEEK_SET)
                if isinstance(run.data, bytes):
                    _write(fd, run.data)
                else:
                    self._sources[run.data].copy(fd, run.source_offset, run.size_bytes)
                end = run.offset + run.size_bytes
            if end != record.size_bytes:
                os.ftruncate(fd, record.size_bytes)
            if uid or gid:  # a file is born as root's: no directory is setgid yet
                os.fchown(fd, uid, gid)
            if mode & 0o7000:
                os.fchmod(fd, mode & 0o7777)  # after chown, which takes setuid away
            if xattrs:
                self._set_xattrs(record, fd)  # after chown, which takes capabilities away
            os.utime(fd, ns=(mtime_ns, mtime_ns))
        finally:
            os.close(fd)

    def _make_node(self, record: InodeRecord) -> None:
        try:
            os.mknod(record.path, stat.S_IFMT(record.mode) | 0o600, record.device)
        except PermissionError:
            self.left_out.add(record.path)
        else:
            self._set_metadata(record)

    def _set_metadata(self, record: InodeRecord) -> None:
        path = record.path or b"."
        os.chown(path, record.uid, record.gid, follow_symlinks=False)
        if not stat.S_ISLNK(record.mode):
            os.chmod(path, stat.S_IMODE(record.mode))
        if record.xattrs:
            self._set_xattrs(record, path)
        os.utime(path, ns=(record.mtime_ns, record.mtime_ns), follow_symlinks=False)

    def _set_xattrs(self, record: InodeRecord, place: bytes | int) -> None:
        unset = []
        for name, value in record.xattrs:
            try:
                os.setxattr(place, name, value, follow_symlinks=isinstance(place, int))
            except OSError as error:
                if error.errno not in _NO_XATTR:
                    raise
                unset.append((name, value))
        if unset:
            self.unset[record.path] = tuple(unset)


class _Source:
    """A file whose ranges are copied; opened and mapped at its first use."""

    def __init__(self, path: bytes) -> None:
        self._path = path
        self._fd = -1
        self._map: mmap.mmap | None = None
        self._view = memoryview(b"")

    def copy(self, target: int, offset: int, size_bytes: int) -> None:
        if self._fd < 0:
            self._open()
        if offset + size_bytes > len(self._view):
            raise OSError(errno.EIO, "a blob is shorter than the tree says", self._path)
        copied = 0
        if size_bytes >= _KERNEL_COPY_BYTES:
            copied = self._copy_in_kernel(target, offset, size_bytes)
        if copied < size_bytes:
            _write(target, self._view[offset + copied : offset + size_bytes])

    def close(self) -> None:
        if self._fd >= 0:
            self._view.release()
            if self._map is not None:
                self._map.close()
            os.close(self._fd)

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        size_bytes = os.fstat(self._fd).st_size
        if size_bytes:  # an empty file cannot be mapped
            self._map = mmap.mmap(self._fd, size_bytes, access=mmap.ACCESS_READ)
            self._view = memoryview(self._map)

    def _copy_in_kernel(self, target: int, offset: int, size_bytes: int) -> int:
        done = 0
        while done < size_bytes:
            try:
                copied = os.copy_file_range(self._fd, target, size_bytes - done, offset + done)
            except OSError as error:
                if error.errno not in _NO_KERNEL_COPY:
                    raise
                break
            if copied == 0:
                break
            done += copied
        return done


def _write(fd: int, data: bytes | memoryview) -> None:
    done = os.write(fd, data)
    while done < len(data):
        done += os.write(fd, memoryview(data)[done:])
