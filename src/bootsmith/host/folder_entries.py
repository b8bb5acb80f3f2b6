"""Reading a file or folder of this machine that is to be copied elsewhere."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bootsmith.errors import HostError
from bootsmith.host.files import host_error


class FolderEntry(NamedTuple):
    """Something below a folder: ``relative`` is empty for what was named itself.

    ``mode`` is ``st_mode``, type and permissions; ``target`` a symlink's text.
    """

    relative: bytes
    path: Path
    mode: int
    mtime_ns: int
    target: bytes


def folder_entries(source: Path, *, keep_link: bool = False) -> Iterator[FolderEntry]:
    """``source`` and, if it is a folder, all it holds, sorted; symlinks are not followed.

    A symlink named itself is followed, unless ``keep_link``: then it is itself what is meant,
    wherever it leads.  Raises ``HostError`` for what cannot be read and for sockets.
    """
    try:
        real = source if keep_link and source.is_symlink() else source.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a loop of symbolic links"
        raise HostError(f"cannot read {source}: {reason}", hint="check the path") from error
    yield from _entries(real, b"")


def _entries(path: Path, relative: bytes) -> Iterator[FolderEntry]:
    try:
        found = path.lstat()
        target = os.fsencode(path.readlink()) if stat.S_ISLNK(found.st_mode) else b""
        is_folder = stat.S_ISDIR(found.st_mode)
        names = sorted(os.fsencode(one.name) for one in path.iterdir()) if is_folder else []
    except OSError as error:
        raise host_error(error, "read", path) from error
    if stat.S_ISSOCK(found.st_mode):
        raise HostError(f"{path} is a socket, which cannot be copied", hint="leave it out")
    yield FolderEntry(relative, path, found.st_mode, found.st_mtime_ns, target)
    for name in names:
        below = relative + b"/" + name if relative else name
        yield from _entries(path / os.fsdecode(name), below)
