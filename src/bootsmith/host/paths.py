"""Questions about places of this machine, and the making of folders, for rooms that ask no OS."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bootsmith.host.files import host_error


def exists(path: Path) -> bool:
    """Whether anything is there, links followed; what cannot be asked about is not."""
    try:
        return path.exists()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether a folder is there, links followed."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether a regular file is there, links followed."""
    try:
        return path.is_file()
    except OSError:
        return False


def real_path(path: Path) -> Path:
    """``path`` from the root on, without links.  Raises ``HostError`` for a loop of them."""
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        reason = error if isinstance(error, OSError) else OSError(0, str(error))
        raise host_error(reason, "follow", path) from error


def ensure_folder(folder: Path) -> None:
    """Make ``folder`` and what is missing above it.  Raises ``HostError``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise host_error(error, "create", folder) from error


def missing_folders(folder: Path) -> list[Path]:
    """``folder`` and those above it that are not there, the innermost first."""
    return [one for one in (folder, *folder.parents) if not exists(one)]


def remove_empty_folders(folders: Iterable[Path]) -> None:
    """Remove ``folders``, innermost first, up to the first that holds anything."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return  # somebody uses it meanwhile


def remove_file(path: Path) -> None:
    """Remove the file at ``path`` if there is one.  Raises ``HostError``."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise host_error(error, "remove", path) from error
