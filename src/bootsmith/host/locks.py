"""Locks between processes.

``flock`` on a file of its own: the kernel lets go when the process ends, however it ends, so
a lock can never be left behind.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootsmith.host.files import host_error
from bootsmith.host.paths import ensure_folder


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock ``path`` for the length of the block; wait for it if need be.

    Raises ``HostError`` when the lock file cannot be made.
    """
    fd = _open_locked(path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(fd)


@contextmanager
def locked_to_fill(path: Path) -> Iterator[None]:
    """As ``locked``, for a file that the block makes something of.

    Nothing stays when it is as empty afterwards as the lock made it.
    """
    fd = _open_locked(path, fcntl.LOCK_EX)
    try:
        yield
    finally:
        # Only its own: who moved the file away may have let another process make a new one.
        if os.fstat(fd).st_size == 0 and _is_file(path, fd):
            path.unlink(missing_ok=True)
        os.close(fd)


@contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """As ``locked``, but the block runs at once; it is told whether it holds the lock."""
    try:
        fd = _open_locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
        return
    try:
        yield True
    finally:
        os.close(fd)


def _open_locked(path: Path, operation: int) -> int:
    """A descriptor of ``path`` that holds the lock.

    Whoever held it before may have removed the file meanwhile; a lock on a file without a name
    keeps nobody out, so it is taken again.
    """
    while True:
        ensure_folder(path.parent)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise host_error(error, "lock", path) from error
        try:
            fcntl.flock(fd, operation)
            if _is_file(path, fd):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _is_file(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False
