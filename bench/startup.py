"""How long a person waits before anything happens."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.measure import RUNS, Row, bootsmith, median_s
from bootsmith.manifest.manifest import Artifact, Manifest, encode_manifest
from bootsmith.model.arch import Arch
from bootsmith.model.digest import Digest


def rows() -> Iterator[Row]:
    yield _row("bootsmith --help", lambda: bootsmith("--help"))
    with tempfile.TemporaryDirectory() as folder:
        image = _tiny_image(Path(folder))
        yield _row("bootsmith exec, until QEMU would start", lambda: _start_exec(image))


def _row(what: str, action: object) -> Row:
    assert callable(action)
    return Row(what=what, ours=f"{median_s(action, runs=2 * RUNS) * 1000:.0f} ms", aim="≤ 150 ms")


def _tiny_image(folder: Path) -> Path:
    names = {"kernel": "vmlinuz-virt", "initramfs": "initramfs.cpio.lz4", "rootfs": "rootfs.ext4"}
    for name in names.values():
        (folder / name).write_bytes(b".")
    manifest = Manifest(
        arch=Arch.X86_64,
        build_time="2024-01-01T00:00:00Z",
        artifacts={
            key: Artifact(name=name, digest=Digest.of(b"."), size_bytes=1)
            for key, name in names.items()
        },
        config={},
    )
    (folder / "manifest.json").write_bytes(bytes(encode_manifest(manifest)))
    return folder


def _start_exec(image: Path) -> None:
    """Where no program is to be found, ``exec`` ends where it would start the first of QEMU's."""
    program = Path(sys.executable).with_name("bootsmith")
    done = subprocess.run(
        [program, "exec", image, "--", "true"],
        capture_output=True,
        check=False,
        env={"PATH": "/nowhere", "HOME": "/nowhere"},
    )
    assert done.returncode == 1, done.stderr
    assert b"qemu" in done.stderr, done.stderr
