"""Writing a tree whose names come from somebody who is not trusted.

Every path is walked name by name from the folder's own descriptor and no symbolic link is
followed, neither one that was there nor one that was just written: nothing can land outside.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self

from bootsmith.errors import HostError
from bootsmith.host.files import host_error

_WALK = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PERMISSIONS = 0o777  # no set-user-id programs come in this way
_CHUNK_BYTES = 1 << 20

Names = tuple[str, ...]


class TreeWriter:
    """Writes below ``root``, which is made if it is not there; use it as a context manager.

    A file replaces what has its name, unless that is a folder.  The modes of folders are set at
    the end, so that one without write permission can be filled.  All methods raise ``HostError``.
    """

    def __init__(self, root: Path) -> None:
        self._path = root
        self._folders: dict[Names, tuple[int, int]] = {}
        try:
            root.mkdir(parents=True, exist_ok=True)
            self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise host_error(error, "write into", root) from error

    def directory(self, names: Names, *, mode: int, mtime_ns: int) -> None:
        if names:
            with self._folder(names[:-1]) as folder, contextlib.suppress(FileExistsError):
                os.mkdir(names[-1], 0o700, dir_fd=folder)
        with self._folder(names):
            self._folders[names] = (mode & _PERMISSIONS, mtime_ns)

    def file(self, names: Names, content: IO[bytes], *, mode: int, mtime_ns: int) -> None:
        with self._vacant(names) as (folder, name):
            fd = os.open(name, _CREATE, 0o600, dir_fd=folder)
            try:
                while chunk := content.read(_CHUNK_BYTES):
                    _write(fd, chunk)
                os.fchmod(fd, mode & _PERMISSIONS)
                os.utime(fd, ns=(mtime_ns, mtime_ns))
            finally:
                os.close(fd)

    def symlink(self, names: Names, target: str) -> None:
        with self._vacant(names) as (folder, name):
            os.symlink(target, name, dir_fd=folder)

    def hard_link(self, names: Names, target: Names) -> None:
        """Another name for a file written before."""
        with self._vacant(names) as (folder, name), self._folder(target[:-1]) as other:
            os.link(target[-1], name, src_dir_fd=other, dst_dir_fd=folder, follow_symlinks=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._finish_folders()
        finally:
            os.close(self._root)

    def _finish_folders(self) -> None:
        # What is deep first: a folder that may not be searched hides what is below it.
        for names, (mode, mtime_ns) in sorted(self._folders.items(), reverse=True):
            with self._folder(names) as fd:
                os.fchmod(fd, mode)
                os.utime(fd, ns=(mtime_ns, mtime_ns))

    @contextlib.contextmanager
    def _vacant(self, names: Names) -> Iterator[tuple[int, str]]:
        """The folder of ``names`` and the name in it, which nothing has any more."""
        if not names:
            raise HostError(f"cannot replace the folder {self._path} by a file")
        with self._folder(names[:-1]) as folder:
            with contextlib.suppress(FileNotFoundError):
                found = os.stat(names[-1], dir_fd=folder, follow_symlinks=False)
                if stat.S_ISDIR(found.st_mode):
                    raise HostError(
                        f"cannot write {self._shown(names)}: a folder is in the way",
                        hint="remove it, or choose another place",
                    )
                os.unlink(names[-1], dir_fd=folder)
            yield folder, names[-1]

    @contextlib.contextmanager
    def _folder(self, names: Names) -> Iterator[int]:
        fd = self._root
        opened: list[int] = []
        try:
            for name in names:
                fd = os.open(name, _WALK, dir_fd=fd)
                opened.append(fd)
            yield fd
        except OSError as error:
            raise host_error(error, "write", self._shown(names)) from error
        finally:
            for one in opened:
                os.close(one)

    def _shown(self, names: Names) -> Path:
        return self._path.joinpath(*names)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
