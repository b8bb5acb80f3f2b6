"""Folders that belong to a process, for as long as it lives.

Whoever owns one holds a lock on it.  The kernel lets go of the lock when the last process that
inherited it has ended, however that was: killed, crashed, or because the machine was switched
off.  So whether an owner lives is never guessed from a process id, which may be another's by now.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from pathlib import Path
from typing import Self

from bootsmith.host.files import host_error


class OwnedFolder:
    """A folder that only this user can enter, and the lock that says who owns it."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make ``path`` and own it.

        Whoever makes folders beside others that ``seize`` them holds a lock over both.
        Raises ``HostError``.
        """
        try:
            path.mkdir(mode=0o700)
            return cls(path, _open(path))
        except OSError as error:
            raise host_error(error, "create", path) from error

    @classmethod
    def adopt(cls, path: Path, lock: int) -> Self:
        """Own ``path`` by the descriptor ``lock``, which an earlier owner has handed down."""
        fcntl.fcntl(lock, fcntl.F_SETFD, fcntl.FD_CLOEXEC)  # not for programs started from here
        return cls(path, lock)

    @classmethod
    def seize(cls, path: Path) -> Self | None:
        """Own ``path`` if nobody does; ``None`` when somebody does, or it is not there."""
        try:
            return cls(path, _open(path))
        except (BlockingIOError, FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise host_error(error, "open", path) from error

    @classmethod
    def take_over(cls, path: Path) -> Self | None:
        """Own ``path`` as soon as nobody does; ``None`` when it is gone."""
        try:
            return cls(path, _open(path, wait=True))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise host_error(error, "open", path) from error

    def fileno(self) -> int:
        """The lock, to be handed down to a program."""
        return self._lock

    def remove(self) -> None:
        """Delete the folder with all that is in it; it stays owned until ``release``."""
        shutil.rmtree(self.path, ignore_errors=True)

    def release(self) -> None:
        """Own it no more, here; a second call does nothing."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def private_folder(path: Path) -> Path:
    """Make sure that there is a folder ``path`` that nobody else can enter.

    Raises ``HostError`` when it is another user's or cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
        if found.st_uid != os.geteuid():
            raise PermissionError(1, "it belongs to another user")
        if stat.S_IMODE(found.st_mode) & 0o077:
            path.chmod(0o700)
    except OSError as error:
        raise host_error(error, "use", path) from error
    return path


def fresh_name() -> str:
    """Eight hexadecimal digits, by chance."""
    return os.urandom(4).hex()


def folders_in(parent: Path) -> list[Path]:
    """The folders in ``parent`` that are not hidden, sorted by name; none when it is not there."""
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir() and path.name[0] != ".")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise host_error(error, "list", parent) from error


def _open(path: Path, *, wait: bool = False) -> int:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BaseException:
        os.close(fd)
        raise
    return fd
