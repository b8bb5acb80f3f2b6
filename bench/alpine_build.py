"""A whole Alpine build against Gondolin's own, from the same mirror and the same config.

Both make a root file system of the same size: each leaves another amount of free space by itself,
and both hash it.  What Gondolin's builder would fetch from elsewhere, the kernel for libkrun and
the programs of its guest, it has beforehand; ours leaves that kernel out, since no mirror here has
it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from tests.support.gondolin_build import gondolin, have_krun_kernel
from tests.support.gondolin_host import GondolinHost, gondolin_host

from bench.alpine_mirror import ROOTFS, AlpineMirror, alpine_mirror
from bench.measure import RUNS, Row, bootsmith, duration_s, ratio_row

_PACKAGES = ("linux-virt", "alpine-base", "openssh")
_MORE = ("tzdata", "wget", "doas", "iw", "kbd-bkeymaps")
_KEPT = ("alpine-apk", "alpine-index-1")  # what says which packages and indexes are here


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="bootsmith-bench-") as scratch:
        try:
            with alpine_mirror(Path(scratch) / "mirror") as mirror, gondolin_host() as host:
                yield from _Alpine(Path(scratch), mirror, host).rows()
        except pytest.skip.Exception as reason:
            yield Row(what=f"Alpine: not measured, {reason}", ours="")


class _Alpine:
    """The folders of one measurement."""

    def __init__(self, scratch: Path, mirror: AlpineMirror, host: GondolinHost) -> None:
        self._mirror = mirror
        self._host = host
        self._store = scratch / "cache"
        self._image = scratch / "image"
        self._config = scratch / "config.json"
        self._peer_image = host.home / "image"
        self._peer_cache = host.home / ".cache"

    def rows(self) -> Iterator[Row]:
        self._config.write_text(self._mirror.config(*_PACKAGES))
        self._prepare_peer()
        cold = [(self._cold(), self._peer_cold()) for _ in range(RUNS)]
        ours, peer = (median(times) for times in zip(*cold, strict=True))
        yield ratio_row(
            "Alpine base + openssh, nothing cached", ours, "gondolin build", peer, "≤ 0.25, 2.5 s"
        )
        cached = median(self._from_packages() for _ in range(RUNS))
        yield _row("the same, packages cached", cached, "≤ 1 s")
        again = [(duration_s(self._build), duration_s(self._peer)) for _ in range(RUNS)]
        ours, peer = (median(times) for times in zip(*again, strict=True))
        yield ratio_row(
            "nothing changed (whole process)", ours, "gondolin build", peer, "≤ 0.1, 0.3 s of work"
        )
        yield _row("one package more", self._one_package_more(), "≤ 1 s")
        yield from self._size_rows()

    def _build(self) -> None:
        bootsmith(
            "build", "--config", self._config, "--output", self._image, "--krun", "off",
            env={"BOOTSMITH_CACHE_DIR": str(self._store)},
        )  # fmt: skip

    def _cold(self) -> float:
        shutil.rmtree(self._store, ignore_errors=True)
        shutil.rmtree(self._image, ignore_errors=True)
        return duration_s(self._build)

    def _from_packages(self) -> float:
        """With nothing in the store but indexes and packages."""
        shutil.rmtree(self._image, ignore_errors=True)
        for kind in (self._store / "derived").iterdir():
            if kind.name not in _KEPT:
                shutil.rmtree(kind)
        return duration_s(self._build)

    def _one_package_more(self) -> float:
        """A package that is not here yet, on an image that is."""
        durations = []
        for count in range(1, RUNS + 1):
            self._config.write_text(self._mirror.config(*_PACKAGES, *_MORE[:count]))
            durations.append(duration_s(self._build))
        return median(durations)

    def _size_rows(self) -> Iterator[Row]:
        self._config.write_text(self._mirror.config(rootfs={}))
        self._build()
        for name, argv in (("zstd -19", ("zstd", "-19")), ("lz4 -9", ("lz4", "-9"))):
            total = sum(
                len(subprocess.run([*argv, "-c", path], capture_output=True, check=True).stdout)
                for path in sorted(self._image.iterdir())
                if path.suffix != ".json"
            )
            yield Row(
                what=f"smallest image that answers, {name}",
                ours=f"{total / 1e6:.1f} MB",
                aim="≤ 25 MB",
            )

    def _prepare_peer(self) -> None:
        helper = self._host.home / "helper"
        helper.write_bytes(b"#!/bin/true\n")
        config = {
            "arch": "x86_64",
            "distro": "alpine",
            "alpine": self._mirror.alpine(*_PACKAGES),
            "rootfs": ROOTFS,
            **{f"sandbox{name}Path": str(helper) for name in ("d", "fs", "ssh", "ingress")},
        }
        (self._host.home / "config.json").write_text(json.dumps(config))

    def _peer_cold(self) -> float:
        shutil.rmtree(self._peer_cache, ignore_errors=True)
        shutil.rmtree(self._peer_image, ignore_errors=True)
        have_krun_kernel(self._host.home)
        return duration_s(self._peer)

    def _peer(self) -> None:
        done = gondolin(
            self._host, "build", "--config", self._host.home / "config.json",
            "--output", self._peer_image,
        )  # fmt: skip
        if done.returncode or not (self._peer_image / "rootfs.ext4").exists():
            raise SystemExit(f"gondolin build failed:\n{(done.stdout + done.stderr).decode()}")


def _row(what: str, seconds: float, aim: str) -> Row:
    return Row(what=what, ours=f"{seconds:.2f} s", aim=aim)
