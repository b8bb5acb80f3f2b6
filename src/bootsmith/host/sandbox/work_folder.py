"""Folders for the files of a sandbox, and finding those that killed processes left behind.

A folder is locked for as long as anybody works in it; the kernel lets go of the lock when the
last of them has ended, however that was.  So a folder that is not locked is left over.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from pathlib import Path
from typing import Self

from bootsmith.host.files import host_error
from bootsmith.host.sandbox.removal import remove_tree

_PREFIX = "bootsmith-sandbox-"
_UNLOCKED_PREFIX = "bootsmith-new-"


class WorkFolder:
    """A new, locked folder in ``parent``.  Raises ``HostError`` when there can be none.

    ``lock`` is the descriptor to hand to other processes that work in it.
    """

    def __init__(self, parent: Path) -> None:
        try:
            fresh = _new_folder(parent)
            self.lock = os.open(fresh, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self.lock, fcntl.LOCK_EX)
            # Only now does it have a name that others look at.
            self.path = fresh.rename(parent / fresh.name.replace(_UNLOCKED_PREFIX, _PREFIX, 1))
        except OSError as error:
            raise host_error(error, "create a folder in", parent) from error

    def leftovers(self) -> list[Path]:
        """Folders beside this one, of the same user, that nobody works in any more."""
        found = self.path.parent.glob(f"{_PREFIX}*")
        return sorted(path for path in found if path != self.path and _is_left_over(path))

    def remove_leftovers(self) -> None:
        """Remove what killed processes left behind; what is another user's inside it stays."""
        for folder in self.leftovers():
            remove_tree(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove what is left of the folder, and let go of it; a second call does nothing."""
        if self.lock >= 0:
            remove_tree(self.path)
            os.close(self.lock)
            self.lock = -1


def _new_folder(parent: Path) -> Path:
    while True:
        parent.mkdir(parents=True, exist_ok=True)
        # A build that began a sandbox for nothing removes the empty ``parent`` at its end.
        with contextlib.suppress(FileNotFoundError):
            return Path(tempfile.mkdtemp(prefix=_UNLOCKED_PREFIX, dir=parent))


def _is_left_over(path: Path) -> bool:
    with contextlib.suppress(OSError):
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            finally:
                os.close(fd)
            return True
    return False
