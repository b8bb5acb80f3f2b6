"""Removing what was somebody's tree, however deep whoever ran in it made it."""

# ruff: noqa: PTH106, PTH108
# Names inside a tree are bytes, which a Path cannot hold.

from __future__ import annotations

import contextlib
import os


def remove_tree(folder: str | bytes | os.PathLike[str]) -> None:
    """Remove ``folder`` and all below it; what cannot be removed stays, for a later run.

    Nobody may run in it any more.  Python's own ``rmtree`` goes as deep into itself as into the
    tree, and not every tree ends before Python does.
    """
    folders = [os.fsencode(folder)]
    for path in folders:  # which grows while it is walked
        with contextlib.suppress(OSError), os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    with contextlib.suppress(OSError):
                        os.unlink(entry.path)
    for path in reversed(folders):
        with contextlib.suppress(OSError):
            os.rmdir(path)
