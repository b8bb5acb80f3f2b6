"""Having a file a second time without writing its bytes a second time, where that can be.

In the order of what it costs: a hard link is the same file under another name, for files that
nobody writes to; a clone shares its blocks until one side is written (btrfs, XFS, bcachefs);
a copy takes as much room as the file has bytes that are not zero.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from bootsmith.errors import HostError
from bootsmith.host.files import FileSink, FileSource, data_ranges, host_error, is_plain_file
from bootsmith.model.streams import chunks

_FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)
_BLOCK_BYTES = 4096
_ZERO_BLOCK = bytes(_BLOCK_BYTES)
_NO_LINK = {errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP, errno.EACCES}


def clone_file(source: Path, target: Path) -> None:
    """Make ``target`` a file of its own with the content of ``source``, a regular file.

    Holes stay holes, and blocks of zeros become some.  Raises ``HostError``.
    """
    _require_plain(source)
    with FileSource(source) as data, FileSink(target) as sink:
        if _share_blocks(data, target):
            sink.skip(data.size_bytes)
            return
        for start, end in data_ranges(data):
            sink.skip(start - sink.position)
            for chunk in chunks(data, start, end - start):
                write_sparse(sink, chunk)
        sink.skip(data.size_bytes - sink.position)


def link_file(source: Path, target: Path) -> None:
    """Make ``target`` another name of ``source``; a clone of it where it cannot be one."""
    _require_plain(source)
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise host_error(error, "link", source) from error
        clone_file(source, target)


def write_sparse(sink: FileSink, data: bytes) -> None:
    """Write ``data``; each block of the file that it fills with zeros becomes a hole."""
    start = 0
    position = -sink.position % _BLOCK_BYTES  # the first place where a block begins
    while position + _BLOCK_BYTES <= len(data):
        if data[position : position + _BLOCK_BYTES] == _ZERO_BLOCK:
            end = position + _BLOCK_BYTES
            while data[end : end + _BLOCK_BYTES] == _ZERO_BLOCK:
                end += _BLOCK_BYTES
            sink.write(data[start:position])
            sink.skip(end - position)
            start = position = end
        else:
            position += _BLOCK_BYTES
    sink.write(data[start:])


def is_read_only(path: Path) -> bool:
    """Whether ``path`` is a regular file whose mode lets nobody write to it."""
    return is_plain_file(path) and not path.lstat().st_mode & 0o222


def make_read_only(path: Path) -> None:
    """Let everybody read the file, and nobody write to it."""
    try:
        path.chmod(0o444)
    except OSError as error:
        raise host_error(error, "change the mode of", path) from error


def _require_plain(source: Path) -> None:
    if not is_plain_file(source):
        raise HostError(f"{source} is missing or no regular file", hint="links are not followed")


def _share_blocks(data: FileSource, target: Path) -> bool:
    try:
        fd = os.open(target, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise host_error(error, "write", target) from error
    try:
        fcntl.ioctl(fd, _FICLONE, data.fileno())
    except OSError:
        return False  # another file system, or one that cannot: there is always the copy
    finally:
        os.close(fd)
    return True
