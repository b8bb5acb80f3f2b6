"""A folder of immutable files, each named by the SHA-256 digest of its content.

They lie side by side, as in the ``blobs`` folder of an OCI image layout: to make a folder takes
some file systems longer than to make a file, and to find a name among many takes none long.
A file is written beside its place and renamed into it once its digest was seen to be right.
It then carries a time stamp that says "checked, and this long": whatever changes the file
later changes its time or its length, and it is hashed again before it is used.  Nothing needs
an fsync for that: a file cut short by a power loss no longer has the length it claims.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from bootsmith.errors import HostError, IntegrityError
from bootsmith.host.files import FileSink, FileSource, host_error, sha256_of_file
from bootsmith.host.hash_beside import HashBeside
from bootsmith.host.paths import ensure_folder
from bootsmith.model.digest import Descriptor, Digest

_CHECKED_S = 1_000_000_000  # the time stamp's seconds: 2001-09-09, which no real file carries
_NANOSECONDS = 1_000_000_000


class ObjectFolder:
    """Files by digest below ``root``; safe to use from several processes and threads."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, digest: Digest) -> Path:
        """Where the file of ``digest`` lies, or would lie."""
        return self._root / digest.algorithm / digest.hex

    def holds(self, digest: Digest) -> bool:
        """Whether the file is there and right.  One that is not right is removed."""
        path = self.path(digest)
        try:
            found = path.stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise host_error(error, "read", path) from error
        if found.st_mtime_ns == _stamp(found.st_size):
            return True
        if sha256_of_file(path) == digest:
            _mark_checked(path, found.st_size)
            return True
        path.unlink(missing_ok=True)
        return False

    def open(self, digest: Digest) -> FileSource:
        """Raises ``FileNotFoundError`` when ``holds`` would say no."""
        if not self.holds(digest):
            raise FileNotFoundError(self.path(digest))
        return FileSource(self.path(digest))

    def add(self, data: Iterable[bytes], *, expected: Descriptor | None = None) -> Descriptor:
        """Keep the concatenation of ``data``.

        Raises ``IntegrityError`` when it is not what ``expected`` says; nothing is kept then,
        nor when ``data`` raises.
        """
        size_bytes = 0
        staging = self.staging_path()
        try:
            with contextlib.closing(HashBeside()) as hasher, FileSink(staging) as sink:
                for chunk in data:
                    hasher.update(chunk)
                    size_bytes += len(chunk)
                    sink.write(chunk)
            found = Descriptor(digest=hasher.digest(), size_bytes=size_bytes)
            if expected is not None:
                check_descriptor(found, expected)
            self.adopt(staging, found)
        finally:
            staging.unlink(missing_ok=True)
        return found

    def adopt(self, staging: Path, found: Descriptor) -> None:
        """Move a file whose digest the caller has just computed into its place."""
        target = self.path(found.digest)
        ensure_folder(target.parent)
        try:
            _mark_checked(staging, found.size_bytes)
            staging.replace(target)
            target.chmod(0o444)  # not before: what did not get here must be writable to go on
        except OSError as error:
            raise host_error(error, "store", target) from error

    def staging_path(self) -> Path:
        """A new file name on the same file system, for something that may be adopted."""
        folder = self._root / "staging"
        ensure_folder(folder)
        return folder / f"{os.getpid()}-{threading.get_ident():x}-{os.urandom(4).hex()}"

    def __iter__(self) -> Iterator[Digest]:
        """The digests of all files that are there, sorted."""
        for path in sorted((self._root / "sha256").glob("*")):
            with contextlib.suppress(ValueError):
                yield Digest.sha256(path.name)

    def remove_leftovers(self) -> int:
        """Remove what killed processes left in the staging folder; tells how many files.

        Raises ``HostError`` when the folder may not be used.
        """
        staging = self._root / "staging"
        removed = 0
        try:
            for path in staging.glob("*-*-*"):
                if not _is_running(int(path.name.partition("-")[0])):
                    path.unlink(missing_ok=True)
                    removed += 1
        except OSError as error:
            raise host_error(error, "clean up", staging) from error
        return removed


class RecordFolder:
    """Small texts by key, each replaced in one step."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, key: str) -> bytes | None:
        """The text under ``key``, a relative path, or ``None``."""
        path = self._root / key
        try:
            return path.read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        except OSError as error:
            raise host_error(error, "read", path) from error

    def write(self, key: str, data: bytes) -> None:
        path = self._root / key
        staging = path.with_name(f".{path.name}-{os.getpid()}-{threading.get_ident():x}")
        ensure_folder(path.parent)
        try:
            staging.write_bytes(data)
            if path.is_dir():
                shutil.rmtree(path)  # whoever put it there: everything here can be made again
            staging.replace(path)
        except OSError as error:
            staging.unlink(missing_ok=True)
            raise host_error(error, "write", path) from error

    def remove(self, key: str) -> None:
        (self._root / key).unlink(missing_ok=True)


def check_descriptor(found: Descriptor, expected: Descriptor, *, url: str = "") -> None:
    """Raises ``IntegrityError`` when ``found`` is not what was ``expected``."""
    what = url or str(expected.digest)
    if found.size_bytes != expected.size_bytes:
        raise IntegrityError(
            f"{what} has {found.size_bytes} bytes instead of {expected.size_bytes}",
            expected=f"{expected.size_bytes} bytes",
            actual=f"{found.size_bytes} bytes",
            url=url,
        )
    if found.digest != expected.digest:
        raise IntegrityError(
            f"{what} is not what it should be: its digest is {found.digest}, "
            f"expected {expected.digest}",
            expected=str(expected.digest),
            actual=str(found.digest),
            url=url,
            hint="the mirror or something on the way to it changed the file",
        )


def _stamp(size_bytes: int) -> int:
    return _CHECKED_S * _NANOSECONDS + size_bytes % _NANOSECONDS


def _mark_checked(path: Path, size_bytes: int) -> None:
    try:
        os.utime(path, ns=(_stamp(size_bytes), _stamp(size_bytes)))
    except PermissionError:
        return  # a store of somebody else's: it is read, and hashed each time
    except OSError as error:
        raise HostError(f"cannot set the time of {path}: {error.strerror}") from error


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
