"""A command up to where its work begins, and which modules it has loaded by then."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from bootsmith.manifest.manifest import Artifact, Manifest, encode_manifest
from bootsmith.model.arch import Arch
from bootsmith.model.digest import Digest

_NAMES = {"kernel": "vmlinuz-virt", "initramfs": "initramfs.cpio.lz4", "rootfs": "rootfs.ext4"}
_MAIN = "from bootsmith.cli.main import main; main()"
_LOADED = re.compile(r"^import time: +\d+ \| +\d+ \| +(\S+)$", re.MULTILINE)


def image_of_nothing(folder: Path) -> Path:
    """An image as far as its manifest goes; its files hold a byte each."""
    for name in _NAMES.values():
        (folder / name).write_bytes(b".")
    manifest = Manifest(
        arch=Arch.X86_64,
        build_time="2024-01-01T00:00:00Z",
        artifacts={
            key: Artifact(name=name, digest=Digest.of(b"."), size_bytes=1)
            for key, name in _NAMES.items()
        },
        config={},
    )
    (folder / "manifest.json").write_bytes(bytes(encode_manifest(manifest)))
    return folder


def qemu_that_ends(folder: Path) -> dict[str, str]:
    """The variables with which ``exec`` finds, before any other, a QEMU in ``folder`` that does
    nothing but say that it has come so far."""
    program = folder / Arch.X86_64.qemu_system
    program.write_text("#!/bin/sh\necho so far\nexit 1\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "HOME": "/nowhere"}


def loaded_by(*words: str | Path, env: Mapping[str, str] | None = None) -> tuple[set[str], str]:
    """The modules that ``bootsmith`` with ``words`` has loaded when it ends, and what it said."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", _MAIN, *words],
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return set(_LOADED.findall(done.stderr)), done.stdout + _LOADED.sub("", done.stderr)


def found_in(loaded: Iterable[str], rooms: Iterable[str]) -> list[str]:
    """What of ``loaded`` is one of ``rooms``, or a part of one."""
    wanted = tuple(rooms)
    return sorted(
        name for name in loaded if name.startswith(tuple(f"{one}." for one in wanted))
        or name in wanted
    )  # fmt: skip
