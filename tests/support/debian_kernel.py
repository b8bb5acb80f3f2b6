"""Debian's own kernel for this machine's architecture, fetched once by apt."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

from bootsmith.host.files import FileSource
from bootsmith.model.digest import Digest
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import overlay, read_layer
from tests.support.judges import judge, require, unavailable

_CACHE = Path(__file__).parents[2] / ".cache" / "tests" / "kernel"
_BLOB = Digest.of(b"the package's files")


class KernelPackage:
    """The tree of a kernel's package, and the blobs it refers to."""

    def __init__(self, archive: Path) -> None:
        self._source = FileSource(archive)
        self.tree = overlay(FileTree(), read_layer(self._source, _BLOB))

    def open_blob(self, blob: Digest) -> FileSource:
        assert blob == _BLOB
        return self._source


def kernel_package() -> KernelPackage:
    """The package, or the test is skipped (failed in CI) where apt cannot get it."""
    for tool in ("apt-get", "apt-cache", "dpkg-deb"):
        require(tool)
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        archives = sorted(_CACHE.glob("*.tar"))
        archive = archives[-1] if archives else _fetched()
    return KernelPackage(archive)


def _fetched() -> Path:
    architecture = judge("dpkg", "--print-architecture").strip()
    described = judge("apt-cache", "depends", f"linux-image-cloud-{architecture}", check=False)
    names = [line.split()[-1] for line in described.splitlines() if "Depends:" in line]
    if not names:
        unavailable("apt knows no Debian kernel: apt-get update")
    done = subprocess.run(
        ["apt-get", "download", "-q", names[0]], cwd=_CACHE, capture_output=True, check=False
    )
    packages = sorted(_CACHE.glob("*.deb"))
    if done.returncode or not packages:
        unavailable(f"apt cannot fetch {names[0]}: {done.stderr.decode(errors='replace')[-200:]}")
    archive = packages[-1].with_suffix(".tar")
    partial = archive.with_suffix(".partial")
    with partial.open("wb") as output:
        subprocess.run(["dpkg-deb", "--fsys-tarfile", packages[-1]], stdout=output, check=True)
    partial.rename(archive)
    packages[-1].unlink()
    return archive
