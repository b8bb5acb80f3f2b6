"""Folders for work under way, which tell by a lock whether somebody still works in them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bootsmith.host.files import host_error
from bootsmith.host.locks import locked, locked_if_free

_LOCK = ".lock"


@contextmanager
def work_place(parent: Path, *, label: str = "work") -> Iterator[Path]:
    """A new folder in ``parent``, which is gone when the block ends.

    After a kill it stays until ``remove_stale_work``.  Raises ``HostError``.
    """
    folder = parent / f"{label}-{os.urandom(8).hex()}"
    lock = folder.with_name(folder.name + _LOCK)
    with locked(lock):
        try:
            try:
                folder.mkdir(mode=0o700)
            except OSError as error:
                raise host_error(error, "create", folder) from error
            yield folder
        finally:
            _remove(folder)
            lock.unlink(missing_ok=True)


def remove_stale_work(parent: Path) -> None:
    """Remove the folders in ``parent`` that nobody works in any longer."""
    for folder in sorted(parent.glob("*")):
        if folder.name.endswith(_LOCK):
            continue
        lock = folder.with_name(folder.name + _LOCK)
        with locked_if_free(lock) as is_free:
            if is_free:
                _remove(folder)
                lock.unlink(missing_ok=True)
    for lock in sorted(parent.glob(f"*{_LOCK}")):
        with locked_if_free(lock) as is_free:
            if is_free and not lock.with_suffix("").exists():
                lock.unlink(missing_ok=True)


def _remove(folder: Path) -> None:
    try:
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
    except OSError as error:
        raise host_error(error, "remove", folder) from error
