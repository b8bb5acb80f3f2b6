"""How long a tree takes to become an ext4 image, against ``mke2fs -d`` on the same content.

Neither side syncs to the disk.  Ours starts from a tar in the store, theirs from the same tar
already extracted, or not; the tree is made up, with the sizes of files of a Debian system.
"""

from __future__ import annotations

import math
import os
import random
import resource
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bootsmith.host.files import FileSink, FileSource, sha256_of_file
from bootsmith.image.ext4 import Ext4Options, write_ext4
from bootsmith.model.digest import Digest
from bootsmith.model.streams import ByteSource
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import overlay, read_layer

_FREE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Ext4Timing:
    """Medians in seconds, but one extraction; ``ours_s`` includes reading the tar into a tree."""

    entries: int
    content_bytes: int
    ours_s: float
    write_s: float
    mke2fs_s: float
    extract_s: float
    mke2fs_version: str
    peak_memory_bytes: int

    @property
    def ratio(self) -> float:
        return self.ours_s / self.mke2fs_s

    @property
    def ratio_with_extract(self) -> float:
        return self.ours_s / (self.mke2fs_s + self.extract_s)


def measure_ext4(
    workspace: Path, *, files: int = 8_000, median_bytes: int = 3_000, rounds: int = 5
) -> Ext4Timing:
    """Measure in the empty directory ``workspace``, which is left full.

    ``files`` files are made, the mean about seven times the median as in a Debian system, a
    directory for every eight, a symbolic link for every ten.
    """
    extracted, archive, image = workspace / "tree", workspace / "tree.tar", workspace / "image"
    content_bytes = _make_content(extracted, files, median_bytes)
    _tar("--sort=name", "--owner=0", "--group=0", "-cf", archive, "-C", extracted, ".")
    blob = sha256_of_file(archive)
    image_bytes = content_bytes + files * 4096 + _FREE_BYTES
    ours: list[_Ours] = []
    theirs: list[float] = []
    for _ in range(rounds):
        ours.append(_ours(archive, blob, image))
        theirs.append(_timed(lambda: _mke2fs(extracted, image, image_bytes, inodes=2 * files)))
    (workspace / "again").mkdir()
    extract_s = _timed(lambda: _tar("-xf", archive, "-C", workspace / "again"))
    return Ext4Timing(
        entries=ours[0].entries,
        content_bytes=content_bytes,
        ours_s=statistics.median(run.read_s + run.write_s for run in ours),
        write_s=statistics.median(run.write_s for run in ours),
        mke2fs_s=statistics.median(theirs),
        extract_s=extract_s,
        mke2fs_version=_mke2fs_version(),
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )


class _Ours(NamedTuple):
    entries: int
    read_s: float
    write_s: float


def _ours(archive: Path, blob: Digest, image: Path) -> _Ours:
    image.unlink(missing_ok=True)
    os.sync()
    started = time.perf_counter()
    with FileSource(archive) as source:
        tree = overlay(FileTree(), read_layer(source, blob))
        read = time.perf_counter()
        with FileSink(image) as sink:
            write_ext4(tree, _options(), _OneBlob(source), sink)
    ended = time.perf_counter()
    image.unlink()
    return _Ours(len(tree), read - started, ended - read)


class _OneBlob:
    """A store with one blob in it."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source

    def open_blob(self, blob: Digest) -> ByteSource:
        del blob
        return self._source


def _options() -> Ext4Options:
    return Ext4Options(
        uuid=bytes(range(16)), hash_seed=bytes(range(16)), created_s=0, free_bytes=_FREE_BYTES
    )


def _make_content(root: Path, files: int, median_bytes: int) -> int:
    """Files of log-normal size under ``root``; their total size."""
    sizes = random.Random(0)
    pool = sizes.randbytes(8 << 20)
    total = 0
    for number in range(files):
        directory = root / f"usr/share/package-{number // 64:04}/part-{number // 8 % 8}"
        directory.mkdir(parents=True, exist_ok=True)
        size = min(len(pool), int(sizes.lognormvariate(math.log(median_bytes), 2.0)))
        start = sizes.randrange(len(pool) - size + 1)
        (directory / f"file-{number:06}.data").write_bytes(pool[start : start + size])
        total += size
        if number % 10 == 0:
            (directory / f"link-{number:06}").symlink_to(f"file-{number:06}.data")
    return total


def _timed(action: Callable[[], None]) -> float:
    os.sync()  # what was written before is not to be paid for here
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _tar(*arguments: str | Path) -> None:
    subprocess.run(["tar", *arguments], check=True)


def _mke2fs(content: Path, image: Path, size_bytes: int, *, inodes: int) -> None:
    argv: list[str | Path] = [
        "mke2fs",
        "-q",
        "-F",
        "-t",
        "ext4",
        "-b",
        "4096",
        "-N",
        str(inodes),
        "-d",
        content,
    ]
    subprocess.run([*argv, image, f"{size_bytes >> 10}k"], check=True, capture_output=True)


def _mke2fs_version() -> str:
    said = subprocess.run(["mke2fs", "-V"], check=True, capture_output=True, text=True)
    return said.stderr.splitlines()[0]
