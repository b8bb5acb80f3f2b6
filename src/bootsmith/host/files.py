"""Files of this machine as byte sources and sinks.

Reads are positional, so one open file serves many threads.  Writes go front to back, keep
holes, and let the kernel copy large ranges itself (``copy_file_range``, which shares blocks
where the file system can).
"""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

from bootsmith.errors import HostError
from bootsmith.model.digest import Digest
from bootsmith.model.streams import CHUNK_BYTES, ByteSource, chunks

_BUFFER_BYTES = 1 << 20
_KERNEL_COPY_BYTES = 256 << 10  # below this a read into the buffer is cheaper than a system call
_NO_KERNEL_COPY = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}


class FileSource:
    """A file opened for positional reads; closed with the ``with`` block or the object."""

    def __init__(self, path: Path) -> None:
        try:
            # Not to wait for whoever might write to a FIFO.
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise host_error(error, "read", path) from error
        self.path = path
        found = os.fstat(self._fd)
        self.size_bytes = found.st_size
        if not stat.S_ISREG(found.st_mode):
            self.close()
            what = "a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
            raise HostError(f"cannot read {path}: it is {what}", hint="name a file")

    def read_at(self, offset: int, size: int) -> bytes:
        try:
            return os.pread(self._fd, size, offset)
        except OSError as error:
            raise host_error(error, "read", self.path) from error

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            self.close()


class FileSink:
    """A file written once from its beginning.  ``close`` sets its length; it may end in a hole.

    Raises ``HostError`` when the disk is full or the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._fd = os.open(
                path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644
            )
        except OSError as error:
            raise host_error(error, "create", path) from error
        self._buffer = bytearray()
        self._position = 0

    @property
    def position(self) -> int:
        """How many bytes are decided so far."""
        return self._position + len(self._buffer)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if len(data) >= _BUFFER_BYTES:
            self._flush()
            self._write(data)
            return
        self._buffer += data
        if len(self._buffer) >= _BUFFER_BYTES:
            self._flush()

    def skip(self, size_bytes: int) -> None:
        self._flush()
        self._position += size_bytes

    def copy_from(self, source: ByteSource, offset: int, size_bytes: int) -> None:
        if size_bytes >= _KERNEL_COPY_BYTES and isinstance(source, FileSource):
            self._flush()
            copied = self._copy_in_kernel(source.fileno(), offset, size_bytes)
            offset, size_bytes = offset + copied, size_bytes - copied
        for chunk in chunks(source, offset, size_bytes):
            self.write(chunk)

    def close(self, *, durable: bool = False) -> None:
        """Finish the file; with ``durable`` it is on the disk when this returns."""
        if self._fd < 0:
            return
        try:
            self._flush()
            os.ftruncate(self._fd, self._position)
            if durable:
                os.fsync(self._fd)
        except OSError as error:
            raise host_error(error, "write", self.path) from error
        finally:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.close()
        elif self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _flush(self) -> None:
        if self._buffer:
            self._write(self._buffer)
            self._buffer = bytearray()

    def _write(self, data: bytes | bytearray | memoryview) -> None:
        with memoryview(data) as view:
            done = 0
            while done < len(view):
                try:
                    done += os.pwrite(self._fd, view[done:], self._position + done)
                except OSError as error:
                    raise host_error(error, "write", self.path) from error
            self._position += done

    def _copy_in_kernel(self, source_fd: int, offset: int, size_bytes: int) -> int:
        done = 0
        while done < size_bytes:
            try:
                copied = os.copy_file_range(
                    source_fd, self._fd, size_bytes - done, offset + done, self._position
                )
            except (AttributeError, OSError) as error:
                if isinstance(error, OSError) and error.errno not in _NO_KERNEL_COPY:
                    raise host_error(error, "write", self.path) from error
                break
            if copied == 0:
                break
            done += copied
            self._position += copied
        return done


def sha256_of_file(path: Path) -> Digest:
    """The SHA-256 digest of a file's content."""
    with FileSource(path) as source:
        return sha256_of(source)


def sha256_of(source: ByteSource) -> Digest:
    """The SHA-256 digest of everything in ``source``."""
    hasher = hashlib.sha256()
    for chunk in chunks(source, 0, source.size_bytes):
        hasher.update(chunk)
    return Digest.sha256(hasher.hexdigest())


def copy_sparse(source: Path, target: Path) -> None:
    """Copy a file so that its holes stay holes."""
    with FileSource(source) as data, FileSink(target) as sink:
        for start, end in data_ranges(data):
            sink.skip(start - sink.position)
            sink.copy_from(data, start, end - start)
        sink.skip(data.size_bytes - sink.position)


def data_ranges(source: FileSource) -> Iterator[tuple[int, int]]:
    """The ``(start, end)`` stretches of a file that are not holes."""
    position = 0
    while position < source.size_bytes:
        try:
            start = os.lseek(source.fileno(), position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                return
            raise host_error(error, "read", source.path) from error
        position = os.lseek(source.fileno(), start, os.SEEK_HOLE)
        yield start, position


def user_path(text: str | Path, *, base: Path | None = None) -> Path:
    """The path a user means: ``~`` is a home, and a relative one is relative to ``base``.

    Raises ``HostError`` for the home of nobody, and for a relative one when the current folder
    was removed.
    """
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise HostError(
            f"there is no home folder for {text}", hint="write the path without ~"
        ) from error
    if "\0" in str(path):
        raise HostError(f"{str(path)!r} is not a path: it holds a NUL character")
    return path if path.is_absolute() else (base or current_folder()) / path


def current_folder() -> Path:
    """The folder relative paths are relative to.  Raises ``HostError`` when it was removed."""
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise HostError(
            "the current folder no longer exists", hint="change to one that does"
        ) from error
    except OSError as error:
        raise host_error(error, "find", Path()) from error


def require_writable(path: Path) -> None:
    """Find out whether a file can be written at ``path``, which is empty afterwards.

    Raises ``HostError``.
    """
    FileSink(path).close()


def is_plain_file(path: Path) -> bool:
    """Whether ``path`` itself, not what it may link to, is a regular file."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def free_bytes(folder: Path) -> int:
    """How much this user can still write on the disk that ``folder`` is, or would be, on."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        found = os.statvfs(place)
    except OSError as error:
        raise host_error(error, "read", place) from error
    return found.f_bavail * found.f_frsize


def descriptor_limit() -> int:
    """How many files this process may have open at once."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def file_identity(path: Path) -> str:
    """A text that changes whenever the file at ``path`` is written to or replaced.

    The kernel moves the change time with every write and no program can set it.  Raises
    ``HostError`` when there is no file.
    """
    try:
        found = path.lstat()
    except OSError as error:
        raise host_error(error, "read", path) from error
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"


def read_whole(path: Path, *, most_bytes: int = 64 << 20) -> bytes:
    """The content of a small file.  Raises ``HostError``, also when it is not small."""
    with FileSource(path) as source:
        if source.size_bytes > most_bytes:
            raise HostError(f"{path} has {source.size_bytes} bytes, expected at most {most_bytes}")
        return b"".join(iter_file(source))


def iter_file(source: FileSource) -> Iterator[bytes]:
    """A file's content up to its end, also when its size is not known before (``/proc``)."""
    offset = 0
    while chunk := source.read_at(offset, CHUNK_BYTES):
        yield chunk
        offset += len(chunk)


def iter_file_object(file: BinaryIO) -> Iterator[bytes]:
    """The rest of an open file, at most 1 MiB at a time."""
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def host_error(error: OSError, verb: str, path: Path) -> HostError:
    """``error`` as one of ours, with the file and what to do about it."""
    hints = {
        errno.ENOSPC: "free some space on that disk, or choose another place",
        errno.EDQUOT: "your quota on that disk is used up",
        errno.EROFS: "that file system is read-only: choose another place",
        errno.EACCES: "check who owns it, or choose another place",
        errno.EPERM: "check who owns it, or choose another place",
        errno.ENOENT: "check the path",
        errno.EMFILE: "raise the limit of open files (ulimit -n)",
    }
    return HostError(
        f"cannot {verb} {path}: {error.strerror or error}", hint=hints.get(error.errno or 0)
    )
