"""Publish whole or not at all.

A result is built in a staging place on its target's file system, so that what is left at the
end are renames.  What a killed process left over is removed by the next publication to the
same target.

A folder that only we use (``exchange_folder``) is exchanged in one step: whoever looks sees
the old result or the new one.  A folder of the user's (``publish_folder``) stays the folder it
is, and our files are exchanged in it.  It may be where a shell stands or what a running machine
mounts, a disk of its own may be mounted on it, and its mode, owner and access list are its
owner's decision; no other folder put in its place has all that.  The price: for the moment of
the renames the result is not there, which a missing manifest tells, and who is killed in that
moment leaves none, which the next publication repairs.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bootsmith.errors import HostError
from bootsmith.host.files import FileSink, host_error
from bootsmith.host.locks import locked
from bootsmith.host.paths import ensure_folder, exists, is_folder

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h

HALF_PUBLISHED = ".bootsmith-publishing"
"""A folder with this name in it is being published into, or whoever did so was killed."""

_INNER_STAGING = ".bootsmith-staging"


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
def publish_folder(target: Path, *, ours: Sequence[str]) -> Iterator[Path]:
    """A staging folder whose files are in ``target`` when the block ends without an exception.

    A ``target`` that exists keeps its identity, mode and owner, and every file that is not
    named in ``ours``, whose last name is the manifest's.  Raises ``HostError`` when the place
    cannot be written, before the block runs.
    """
    target = _place(target)
    beside = _staging_beside(target)
    with _held(target):
        with _telling("publish", target):
            _undo_half(target, ours)
            for left in (beside, target / _INNER_STAGING):
                _remove_tree(left)
        # On the file system of the target, which may be a disk mounted there.
        staging = target / _INNER_STAGING if is_folder(target) else beside
        try:
            with _telling("publish", target):
                _make_staging(staging)
            yield staging
            with _telling("publish", target):
                _sync_files(staging)
                if exists(target):
                    _move_one_by_one(staging, target, ours)
                else:
                    staging.rename(target)
                sync_folder(target.parent)
        finally:
            _undo_half(target, ours)
            _remove_tree(staging)


@contextmanager
def exchange_folder(target: Path, *, ours: Sequence[str]) -> Iterator[Path]:
    """As ``publish_folder``, for a folder that nobody but us uses: it is replaced in one step."""
    target = _place(target)
    staging = _staging_beside(target)
    with _held(target):
        try:
            with _telling("publish", target):
                _undo_half(target, ours)
                _remove_tree(staging)
                _make_staging(staging)
            yield staging
            with _telling("publish", target):
                _sync_files(staging)
                _put_in_place(staging, target, ours)
                sync_folder(target.parent)
        finally:
            _undo_half(target, ours)
            _remove_tree(staging)


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


def _place(target: Path) -> Path:
    """The folder that is to be published to, with the one above it made."""
    with _telling("publish", target):
        target = Path(os.path.abspath(target))  # noqa: PTH100 - resolve() would follow a symlink
        if target.is_symlink():
            target = Path(os.path.realpath(target, strict=True))
    if not target.name:
        raise HostError("an image cannot be published as the root folder", hint="name a folder")
    ensure_folder(target.parent)
    if exists(target) and not is_folder(target):
        raise HostError(f"{target} is not a folder", hint="choose another place")
    return target


def _staging_beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.bootsmith-staging")


@contextmanager
def _held(target: Path) -> Iterator[None]:
    lock = target.with_name(f".{target.name}.bootsmith-lock")
    with locked(lock):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


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


def _put_in_place(staging: Path, target: Path, ours: Sequence[str]) -> None:
    if not target.exists():
        staging.rename(target)
    elif _exchange(staging, target):
        for path in sorted(staging.iterdir()):
            if path.name not in ours:
                path.rename(target / path.name)
    else:
        _move_one_by_one(staging, target, ours)


def _move_one_by_one(staging: Path, target: Path, ours: Sequence[str]) -> None:
    """Move the files in the order of ``ours``, the manifest last.

    The old manifest goes first: without one the folder is plainly unfinished while this runs.
    Each order is put on the disk, so that a loss of power is no worse than a kill.
    """
    half = target / HALF_PUBLISHED
    *files, manifest = ours
    staging.rename(half)
    (target / manifest).unlink(missing_ok=True)
    sync_folder(target)
    for name in files:
        _move(half / name, target / name)
    sync_folder(target)
    _move(half / manifest, target / manifest)
    sync_folder(target)


def _move(source: Path, target: Path) -> None:
    if source.exists():
        source.rename(target)
    else:
        target.unlink(missing_ok=True)


def _undo_half(target: Path, ours: Sequence[str]) -> None:
    """Remove what a publication has moved that did not come to its end."""
    half = target / HALF_PUBLISHED
    if not exists(half):
        return
    if not exists(target / ours[-1]):
        for name in ours:
            (target / name).unlink(missing_ok=True)
    _remove_tree(half)


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
