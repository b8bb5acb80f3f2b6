"""Several folders of this machine as one tree, each at its place in the guest.

The directories above those places exist only here: they can be looked at and not changed.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from bootsmith.host.shared_folder import FileFacts, SharedFolder, SharePath, ShareRefused
from bootsmith.vm.machine import Share
from bootsmith.vm.shares.place import share_path

_DIRECTORY_FACTS = FileFacts(
    mode=stat.S_IFDIR | 0o755,
    nlink=2,
    uid=0,
    gid=0,
    size=0,
    atime_ms=0,
    mtime_ms=0,
    ctime_ms=0,
)
_NO_SPACE = {
    "bsize": 4096, "frsize": 4096, "blocks": 0, "bfree": 0, "bavail": 0, "files": 0, "ffree": 0,
    "namelen": 255,
}  # fmt: skip

Place: TypeAlias = "tuple[SharedFolder, SharePath] | None"


@dataclass(frozen=True, slots=True)
class _Mount:
    at: SharePath
    folder: SharedFolder


class ShareTree:
    """The tree of ``shares``.  Raises ``HostError`` when one of the folders cannot be shared."""

    def __init__(self, shares: Sequence[Share]) -> None:
        self._mounts: list[_Mount] = []
        try:
            for share in shares:
                folder = SharedFolder(Path(share.host_folder), readonly=share.readonly)
                self._mounts.append(_Mount(share_path(share.guest_folder), folder))
        except BaseException:
            self.close()
            raise
        # The innermost mount that holds a path is found first.
        self._mounts.sort(key=lambda mount: (-len(mount.at), mount.at))

    def close(self) -> None:
        for mount in self._mounts:
            mount.folder.close()
        self._mounts.clear()

    def place(self, path: SharePath) -> Place:
        """The folder that holds ``path`` and its path there; ``None`` above all folders.

        Raises ``ShareRefused`` (ENOENT) where there is nothing at all.
        """
        for mount in self._mounts:
            if path[: len(mount.at)] == mount.at:
                rest = path[len(mount.at) :]
                leads_on = rest and self._names_below(path) and not _has(mount.folder, rest)
                return None if leads_on else (mount.folder, rest)
        if self._names_below(path) or not path:
            return None
        raise ShareRefused(errno.ENOENT, "/".join(path))

    def changeable(self, path: SharePath) -> tuple[SharedFolder, SharePath]:
        """Like ``place``, for what is to be made, removed or renamed.

        Raises ``ShareRefused``: EROFS above all folders, EBUSY for a place where one begins.
        """
        place = self.place(path[:-1])
        if place is None:
            raise ShareRefused(errno.EROFS, "/".join(path))
        if self._names_below(path) or any(mount.at == path for mount in self._mounts):
            raise ShareRefused(errno.EBUSY, "/".join(path))
        folder, parent = place
        return folder, (*parent, path[-1])

    def facts(self, path: SharePath) -> FileFacts:
        place = self.place(path)
        return _DIRECTORY_FACTS if place is None else place[0].facts(place[1])

    def names(self, path: SharePath) -> list[tuple[str, int]]:
        """The entries of a directory with their modes, sorted."""
        place = self.place(path)
        names = {} if place is None else dict(place[0].names(place[1]))
        names |= dict.fromkeys(self._names_below(path), stat.S_IFDIR)
        return sorted(names.items())

    def usage(self, path: SharePath) -> dict[str, int]:
        place = self.place(path)
        return _NO_SPACE if place is None else place[0].usage()

    def _names_below(self, path: SharePath) -> set[str]:
        """The names in ``path`` that lead to folders further below."""
        depth = len(path)
        return {
            mount.at[depth]
            for mount in self._mounts
            if len(mount.at) > depth and mount.at[:depth] == path
        }


def _has(folder: SharedFolder, path: SharePath) -> bool:
    try:
        return stat.S_ISDIR(folder.facts(path).mode)
    except ShareRefused:
        return False
