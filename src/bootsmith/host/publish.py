"""Publish whole or not at all.

A result is built in a staging place beside its target, so that the last step is a rename
within one file system.  Whoever looks sees the old result or the new one.  A staging place
left over by a killed process is removed by the next publication to the same target.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from bootsmith.errors import HostError
from bootsmith.host.files import FileSink, host_error
from bootsmith.host.locks import locked
from bootsmith.host.paths import ensure_folder, exists, is_folder

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h


@contextmanager
def publish_file(target: Path, *, mode: int = 0o644) -> Iterator[FileSink]:
    """A sink whose content becomes ``target`` when the block ends without an exception."""
    staging = target.with_name(f".{target.name}.bootsmith-{os.getpid()}")
    ensure_folder(target.parent)
    sink = FileSink(staging)
    try:
        yield sink
        with _telling("publish", target):
            sink.close(durable=True)
            staging.chmod(mode)
            staging.replace(target)
            sync_folder(target.parent)
    finally:
        sink.__exit__(HostError)
        staging.unlink(missing_ok=True)


@contextmanager
def publish_folder(target: Path, *, ours: Collection[str]) -> Iterator[Path]:
    """A staging folder that becomes ``target`` when the block ends without an exception.

    An older ``target`` is exchanged with it in one step.  Files in it that are not named in
    ``ours`` belong to the user and stay.  Raises ``HostError`` when the place cannot be
    written, before the block runs.
    """
    with _telling("publish", target):
        target = Path(os.path.abspath(target))  # noqa: PTH100 - resolve() would follow a symlink
        if target.is_symlink():
            target = Path(os.path.realpath(target, strict=True))
    if not target.name:
        raise HostError("an image cannot be published as the root folder", hint="name a folder")
    staging = target.with_name(f".{target.name}.bootsmith-staging")
    lock = target.with_name(f".{target.name}.bootsmith-lock")
    ensure_folder(target.parent)
    if exists(target) and not is_folder(target):
        raise HostError(f"{target} is not a folder", hint="choose another --output")
    with locked(lock):
        try:
            with _telling("publish", target):
                _remove_tree(staging)
                _make_staging(staging)
            yield staging
            with _telling("publish", target):
                _sync_files(staging)
                _put_in_place(staging, target, ours)
                sync_folder(target.parent)
        finally:
            _remove_tree(staging)
            lock.unlink(missing_ok=True)


def remove_abandoned(folder: Path) -> None:
    """Remove what killed publications left in ``folder``.

    Only for a caller who knows that nobody publishes into it at this moment.
    """
    with _telling("clean up", folder):
        for staging in sorted(folder.glob(".*.bootsmith-staging")):
            _remove_tree(staging)
        for lock in sorted(folder.glob(".*.bootsmith-lock")):
            lock.unlink(missing_ok=True)


def discard_folder(folder: Path, *, by_way_of: Path) -> None:
    """Remove a folder and all in it, so that nobody ever sees half of it.

    It is first moved into ``by_way_of``, on the same file system, where what a kill leaves
    over is known to be rubbish.
    """
    with _telling("remove", folder):
        by_way_of.mkdir(parents=True, exist_ok=True)
        rubbish = by_way_of / f"{folder.name}-{os.urandom(4).hex()}"
        folder.rename(rubbish)
        sync_folder(folder.parent)
        _remove_tree(rubbish)


def sync_file(path: Path) -> None:
    """Put the content of a file on the disk.  Raises ``HostError``."""
    with _telling("write", path):
        _sync(path)


def sync_folder(folder: Path) -> None:
    """Put the names in ``folder`` on the disk."""
    _sync(folder)


@contextmanager
def _telling(verb: str, target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise host_error(error, verb, target) from error


def _make_staging(staging: Path) -> None:
    staging.mkdir()
    # The result is for everyone to read, whatever the umask of whoever built it.
    staging.chmod(0o755)


def _sync_files(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        _sync(path)
    sync_folder(folder)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _put_in_place(staging: Path, target: Path, ours: Collection[str]) -> None:
    if not target.exists():
        staging.rename(target)
    elif _exchange(staging, target):
        for path in sorted(staging.iterdir()):
            if path.name not in ours:
                path.rename(target / path.name)
    else:
        _move_one_by_one(staging, target, ours)


def _move_one_by_one(staging: Path, target: Path, ours: Collection[str]) -> None:
    """For file systems that cannot exchange: ``ours`` in its order, the manifest last.

    Without its manifest the folder is plainly unfinished while this runs.
    """
    for name in reversed(list(ours)):
        (target / name).unlink(missing_ok=True)
    for name in ours:
        if (staging / name).exists():
            (staging / name).rename(target / name)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two folders in one step, where kernel and file system can."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes  # starting a machine needs this module, and never this

    libc = ctypes.CDLL(None, use_errno=True)
    renameat2 = getattr(libc, "renameat2", None)
    if renameat2 is None:  # musl before 1.2.6
        return False
    done = renameat2(
        _AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE
    )
    if done == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBUSY):
        return False
    raise OSError(code, os.strerror(code), str(second))


def _remove_tree(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
