"""Removing what was somebody's tree, however deep whoever ran in it made it."""

# ruff: noqa: PTH104, PTH106, PTH108, PTH118
# Names inside a tree are bytes, which a Path cannot hold.

from __future__ import annotations

import contextlib
import os

_LONG_BYTES = 2048  # half of what the kernel takes for a path (PATH_MAX)


def remove_tree(folder: str | bytes | os.PathLike[str]) -> None:
    """Remove ``folder`` and all below it; what cannot be removed stays, for a later run.

    Nobody may run in it any more.  Python's own ``rmtree`` goes as deep into itself as into the
    tree, and not every tree ends before Python does.
    """
    top = os.fsencode(folder)
    folders = [top]
    for path in folders:  # which grows while it is walked
        with contextlib.suppress(OSError), os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(_in_reach(entry.path, top, len(folders)))
                else:
                    with contextlib.suppress(OSError):
                        os.unlink(entry.path)
    for path in reversed(folders):
        with contextlib.suppress(OSError):
            os.rmdir(path)


def _in_reach(path: bytes, top: bytes, number: int) -> bytes:
    """Where the folder ``path`` is now: directly in ``top``, when what is in it might have paths
    too long to be removed by."""
    if len(path) <= _LONG_BYTES:
        return path
    short = os.path.join(top, b"bootsmith-deep-%d" % number)
    try:
        os.rename(path, short)
    except OSError:
        return path
    return short
