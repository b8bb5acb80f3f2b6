"""Single Debian packages, fetched once by apt, for what other repositories are made from."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

from bootsmith.host.files import FileSource
from bootsmith.model.digest import Digest
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import overlay, read_layer
from tests.support.judges import require, unavailable

_CACHE = Path(__file__).parents[2] / ".cache" / "tests" / "debs"


class DebianFiles:
    """The tree of a package, and the blob it refers to."""

    def __init__(self, archive: Path) -> None:
        self._source = FileSource(archive)
        self._blob = Digest.of(str(archive).encode())
        self.tree = overlay(FileTree(), read_layer(self._source, self._blob))

    def open_blob(self, blob: Digest) -> FileSource:
        assert blob == self._blob
        return self._source


def debian_files(package: str) -> DebianFiles:
    """The files of ``package``, or the test is skipped (failed in CI) where apt cannot get it."""
    for tool in ("apt-get", "dpkg-deb"):
        require(tool)
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        archive = _CACHE / f"{package}.tar"
        if not archive.exists():
            _fetch(package, archive)
    return DebianFiles(archive)


def _fetch(package: str, archive: Path) -> None:
    done = subprocess.run(
        ["apt-get", "download", "-q", package], cwd=_CACHE, capture_output=True, check=False
    )
    found = sorted(_CACHE.glob(f"{package}_*.deb"))
    if done.returncode or not found:
        unavailable(f"apt cannot fetch {package}: {done.stderr.decode(errors='replace')[-200:]}")
    partial = archive.with_suffix(".partial")
    with partial.open("wb") as output:
        subprocess.run(["dpkg-deb", "--fsys-tarfile", found[-1]], stdout=output, check=True)
    partial.rename(archive)
    found[-1].unlink()
