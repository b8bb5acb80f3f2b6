"""A folder of this machine, offered to a guest that is not trusted.

Every path is walked name by name from the folder's own descriptor, and no symbolic link is ever
followed: what lies outside cannot be reached, whatever the guest, or somebody on this machine
at the same moment, renames or links.  The folder is held open, so that it stays the same one
even when its path is moved or removed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeAlias

from bootsmith.errors import HostError
from bootsmith.host.files import host_error
from bootsmith.host.linux_errno import linux_errno

SharePath: TypeAlias = tuple[str, ...]

_WALK = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
_OPEN = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_MOST_NAMES = 512  # in a path: what is deeper, many a program of this machine cannot delete
_PERMISSIONS = 0o777  # a guest makes no set-user-id programs on this machine


class ShareRefused(HostError):
    """An operation failed; ``number`` is the errno by which the guest's Linux knows it."""

    def __init__(self, code: int, what: str) -> None:
        super().__init__(f"{what}: {os.strerror(code)}")
        self.number = linux_errno(code)


class Access(Enum):
    READ = os.O_RDONLY
    WRITE = os.O_WRONLY
    BOTH = os.O_RDWR


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """The part of struct stat that a guest is told.

    Files of the user who runs bootsmith belong to the guest's root.
    """

    mode: int
    nlink: int
    uid: int
    gid: int
    size: int
    atime_ms: int
    mtime_ms: int
    ctime_ms: int


class OpenFile:
    """A regular file, opened by the guest."""

    def __init__(self, fd: int, *, appends: bool) -> None:
        self._fd = fd
        self._appends = appends

    def read(self, offset: int, size: int) -> bytes:
        with _refusing("read"):
            return os.pread(self._fd, size, offset)

    def write(self, offset: int, data: bytes) -> int:
        with _refusing("write"):
            return os.write(self._fd, data) if self._appends else os.pwrite(self._fd, data, offset)

    def truncate(self, size: int) -> None:
        with _refusing("truncate"):
            os.ftruncate(self._fd, size)

    def extend(self, size: int) -> None:
        """Make it at least this long."""
        with _refusing("fallocate"):
            if os.fstat(self._fd).st_size < size:
                os.ftruncate(self._fd, size)

    def facts(self) -> FileFacts:
        with _refusing("stat"):
            return _facts(os.fstat(self._fd))

    def is_same_as(self, other: OpenFile) -> bool:
        with _refusing("stat"):
            return os.path.samestat(os.fstat(self._fd), os.fstat(other._fd))

    def close(self) -> None:
        os.close(self._fd)


class SharedFolder:
    """The operations of a file system below one folder.

    All raise ``ShareRefused``.  Raises ``HostError`` when ``root`` is no folder or may not be
    read.
    """

    def __init__(self, root: Path, *, readonly: bool = False) -> None:
        self.readonly = readonly
        try:
            self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise host_error(error, "share", root) from error

    def close(self) -> None:
        os.close(self._root)

    def facts(self, path: SharePath) -> FileFacts:
        with self._at(path) as (folder, name):
            return _facts(os.stat(name, dir_fd=folder, follow_symlinks=False))

    def target(self, path: SharePath) -> str:
        """Where a symbolic link points; the guest follows it among its own files.

        Refused when that is not UTF-8: the wire has no form for it.
        """
        with self._at(path) as (folder, name):
            target = os.readlink(name, dir_fd=folder)
            if not _is_text(target):
                raise OSError(errno.EIO, "a target that is no text")
            return target

    def names(self, path: SharePath) -> list[tuple[str, int]]:
        """The entries of a directory with their modes, sorted.

        Names that are not UTF-8 are left out: the wire has no form for them.
        """
        found = []
        with self._directory(path) as place, contextlib.ExitStack() as opened:
            fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place)
            opened.callback(os.close, fd)
            for entry in opened.enter_context(os.scandir(fd)):
                if _is_text(entry.name):
                    with contextlib.suppress(FileNotFoundError):
                        found.append((entry.name, entry.stat(follow_symlinks=False).st_mode))
        return sorted(found)

    def open(
        self, path: SharePath, access: Access, *, truncate: bool = False, append: bool = False
    ) -> OpenFile:
        if access is not Access.READ or truncate:
            self._require_writable()
        with self._at(path) as (folder, name):
            # Before it is opened, since opening a device or a pipe can have effects of its own;
            # and after, since it may have become another one.
            _require_regular(os.stat(name, dir_fd=folder, follow_symlinks=False))
            return _opened(folder, name, access.value, truncate=truncate, append=append)

    def create(
        self,
        path: SharePath,
        access: Access,
        *,
        mode: int,
        exclusive: bool = False,
        truncate: bool = False,
        append: bool = False,
    ) -> OpenFile:
        self._require_writable()
        flags = access.value | os.O_CREAT | (os.O_EXCL if exclusive else 0)
        with self._at(path) as (folder, name):
            return _opened(folder, name, flags, mode=mode, truncate=truncate, append=append)

    def make_directory(self, path: SharePath, *, mode: int) -> None:
        self._require_writable()
        with self._at(path) as (folder, name):
            os.mkdir(name, mode & _PERMISSIONS, dir_fd=folder)

    def make_symlink(self, path: SharePath, target: str) -> None:
        self._require_writable()
        with self._at(path) as (folder, name):
            os.symlink(target, name, dir_fd=folder)

    def link(self, old: SharePath, new: SharePath) -> None:
        self._require_writable()
        with self._at(old) as (old_folder, old_name), self._at(new) as (new_folder, new_name):
            os.link(
                old_name,
                new_name,
                src_dir_fd=old_folder,
                dst_dir_fd=new_folder,
                follow_symlinks=False,
            )

    def rename(self, old: SharePath, new: SharePath) -> None:
        self._require_writable()
        with self._at(old) as (old_folder, old_name), self._at(new) as (new_folder, new_name):
            os.rename(old_name, new_name, src_dir_fd=old_folder, dst_dir_fd=new_folder)

    def remove_file(self, path: SharePath) -> None:
        self._require_writable()
        with self._at(path) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def remove_directory(self, path: SharePath) -> None:
        self._require_writable()
        with self._at(path) as (folder, name):
            os.rmdir(name, dir_fd=folder)

    def truncate(self, path: SharePath, size: int) -> None:
        opened = self.open(path, Access.WRITE)
        try:
            opened.truncate(size)
        finally:
            opened.close()

    def usage(self) -> dict[str, int]:
        """The file system's space, in the words of struct statvfs without their ``f_``."""
        with _refusing("statfs"):
            found = os.fstatvfs(self._root)
        return {
            "bsize": found.f_bsize,
            "frsize": found.f_frsize,
            "blocks": found.f_blocks,
            "bfree": found.f_bfree,
            "bavail": found.f_bavail,
            "files": found.f_files,
            "ffree": found.f_ffree,
            "namelen": found.f_namemax,
        }

    def _require_writable(self) -> None:
        if self.readonly:
            raise ShareRefused(errno.EROFS, "the share is read-only")

    @contextlib.contextmanager
    def _at(self, path: SharePath) -> Iterator[tuple[int, str]]:
        """A descriptor of the directory that holds ``path``, and its name there."""
        if not path:
            with _refusing("share"):
                yield self._root, "."
            return
        with self._directory(path[:-1]) as folder:
            yield folder, path[-1]

    @contextlib.contextmanager
    def _directory(self, path: SharePath) -> Iterator[int]:
        """A descriptor of the directory ``path``."""
        with _refusing("/".join(path[:_MOST_NAMES])):
            if len(path) > _MOST_NAMES:
                raise OSError(errno.ENAMETOOLONG, "too deep")
            fd = self._root
            try:
                for name in path:
                    # One at a time: a guest must not use up this process's descriptors.
                    inner = os.open(name, _WALK, dir_fd=fd)
                    if fd != self._root:
                        os.close(fd)
                    fd = inner
                yield fd
            finally:
                if fd != self._root:
                    os.close(fd)


def _opened(
    folder: int, name: str, flags: int, *, mode: int = 0, truncate: bool, append: bool
) -> OpenFile:
    flags |= _OPEN | (os.O_APPEND if append else 0)
    fd = os.open(name, flags, mode & _PERMISSIONS, dir_fd=folder)
    try:
        _require_regular(os.fstat(fd))
        if truncate:
            os.ftruncate(fd, 0)
    except BaseException:
        os.close(fd)
        raise
    return OpenFile(fd, appends=append)


def _require_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EACCES, "not a regular file")


def _facts(found: os.stat_result) -> FileFacts:
    return FileFacts(
        mode=found.st_mode,
        nlink=found.st_nlink,
        uid=0 if found.st_uid == os.getuid() else found.st_uid,
        gid=0 if found.st_gid == os.getgid() else found.st_gid,
        size=found.st_size,
        atime_ms=found.st_atime_ns // 1_000_000,
        mtime_ms=found.st_mtime_ns // 1_000_000,
        ctime_ms=found.st_ctime_ns // 1_000_000,
    )


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@contextlib.contextmanager
def _refusing(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ShareRefused(error.errno or errno.EIO, what) from error
    except (ValueError, OverflowError) as error:
        raise ShareRefused(errno.EINVAL, what) from error
