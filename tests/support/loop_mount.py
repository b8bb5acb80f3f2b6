"""Images mounted by this machine's own kernel, where it lets us."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bootsmith.host.tools import find_tool
from tests.support.judges import require


@contextmanager
def mounted(image: Path, *, options: str = "ro") -> Iterator[Path]:
    """``image`` mounted through a loop device, for the length of the block.

    Skips the test where that is not allowed: it is a matter of the machine, not of a missing tool.
    """
    mount = require("mount")
    if os.geteuid() != 0:
        pytest.skip("mounting an image needs root")
    directory = image.with_name(image.name + ".mounted")
    directory.mkdir()
    done = subprocess.run(
        [str(mount), "-t", "ext4", "-o", f"loop,{options}", str(image), str(directory)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        directory.rmdir()
        reason = done.stderr.decode("utf-8", "replace").strip()
        if not _can_mount(image.with_name("probe.img")):
            pytest.skip(f"this machine mounts no images: {reason}")
        raise AssertionError(f"the kernel refuses the image: {reason}")
    try:
        yield directory
    finally:
        subprocess.run([str(require("umount")), str(directory)], check=True)
        directory.rmdir()


def _can_mount(probe: Path) -> bool:
    """Whether an image that mke2fs made can be mounted."""
    mke2fs = find_tool("mke2fs")
    if mke2fs is None:
        return False
    subprocess.run([str(mke2fs), "-q", "-t", "ext4", str(probe), "8M"], check=True)
    directory = probe.with_name("probe.mounted")
    directory.mkdir()
    done = subprocess.run(
        ["mount", "-t", "ext4", "-o", "loop,ro", str(probe), str(directory)],
        capture_output=True,
        check=False,
    )
    if done.returncode == 0:
        subprocess.run(["umount", str(directory)], check=True)
    directory.rmdir()
    return done.returncode == 0
