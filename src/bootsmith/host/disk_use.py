"""How much room files take: what they seem to hold, and what is really allocated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bootsmith.host.files import host_error

_STAT_BLOCK_BYTES = 512  # st_blocks counts these, whatever the file system's blocks are


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUse:
    """``apparent_bytes`` is the sum of lengths; ``allocated_bytes`` leaves holes out.

    ``own_bytes`` are those of ``allocated_bytes`` that no other name refers to: what removing
    the files would give back.  Blocks shared by clones are counted for each: the kernel tells
    nothing else.
    """

    apparent_bytes: int = 0
    allocated_bytes: int = 0
    own_bytes: int = 0


def disk_use(folders: Iterable[Path]) -> DiskUse:
    """The room that the files directly in ``folders`` take; one with many names counts once."""
    return _use(sorted(path for folder in folders for path in folder.iterdir()))


def file_use(path: Path) -> DiskUse:
    """The room that one file takes.  Raises ``HostError`` when there is none."""
    return _use([path])


def written_s(path: Path) -> int:
    """When ``path`` was last written to, in seconds since 1970; of a folder, when a name was
    added to it or removed.  Raises ``HostError`` when it is not there."""
    try:
        return int(path.lstat().st_mtime)
    except OSError as error:
        raise host_error(error, "read", path) from error


def _use(paths: Iterable[Path]) -> DiskUse:
    apparent = allocated = own = 0
    names: dict[tuple[int, int], int] = {}
    for path in paths:
        try:
            found = path.lstat()
        except OSError as error:
            raise host_error(error, "read", path) from error
        inode = found.st_dev, found.st_ino
        names[inode] = names.get(inode, 0) + 1
        if names[inode] == 1:
            apparent += found.st_size
            allocated += found.st_blocks * _STAT_BLOCK_BYTES
        if names[inode] == found.st_nlink:
            own += found.st_blocks * _STAT_BLOCK_BYTES
    return DiskUse(apparent_bytes=apparent, allocated_bytes=allocated, own_bytes=own)
