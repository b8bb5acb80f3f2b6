"""Symbolic links and folders by name, for stores whose index is the file system itself."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from bootsmith.host.files import host_error
from bootsmith.host.paths import ensure_folder


def read_link(path: Path) -> str | None:
    """The text of the symbolic link ``path``; ``None`` when there is none."""
    try:
        return str(path.readlink())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.EINVAL:  # something is there, and it is no link
            return None
        raise host_error(error, "read the link", path) from error


def replace_link(path: Path, target: str) -> None:
    """Make ``path`` a symbolic link to ``target`` in one step, whatever it linked to before."""
    staging = path.with_name(f".{path.name}-{os.getpid()}-{os.urandom(4).hex()}")
    ensure_folder(path.parent)
    try:
        staging.symlink_to(target)
        staging.replace(path)
    except OSError as error:
        staging.unlink(missing_ok=True)
        raise host_error(error, "write the link", path) from error


def remove_link(path: Path, *, root: Path) -> bool:
    """Remove the link ``path`` and the folders up to ``root`` that it leaves empty.

    Tells whether there was one.
    """
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise host_error(error, "remove", path) from error
    # Somebody else may be making a link in such a folder: then it is not empty, and stays.
    with contextlib.suppress(OSError):
        for folder in path.parents:
            if folder == root:
                break
            folder.rmdir()
    return True


def links_below(root: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """All symbolic links below ``root``: the parts of their relative path, and their text.

    Sorted.  Links are not followed; what disappears meanwhile is left out.
    """
    yield from _links(root, ())


def names_in(folder: Path) -> tuple[str, ...]:
    """The names in ``folder``, sorted; none when it does not exist."""
    try:
        return tuple(sorted(path.name for path in folder.iterdir()))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise host_error(error, "read", folder) from error


def _links(folder: Path, parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for name in names_in(folder):
        path, here = folder / name, (*parts, name)
        if path.is_symlink():
            text = read_link(path)
            if text is not None:
                yield here, text
        elif path.is_dir():
            yield from _links(path, here)
