"""The real libkrunfw of either architecture, out of the wheels of ``microsandbox``.

They are kept in ``.cache/tests``, so that the next run downloads nothing.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from functools import cache

from bootsmith.host.locks import locked
from bootsmith.model.arch import Arch
from tests.support.debian_images import CHECKOUT
from tests.support.judges import unavailable

_VERSION = "0.7.11"
_FOLDER = CHECKOUT / ".cache" / "tests" / "microsandbox"


@cache
def real_library(arch: Arch) -> bytes:
    """``libkrunfw.so`` for ``arch``; without a network the test is skipped."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    kept = _FOLDER / f"libkrunfw-{_VERSION}-{arch}.so"
    with locked(_FOLDER / f"{arch}.lock"):
        if not kept.exists():
            part = kept.with_suffix(".part")
            part.write_bytes(_download(arch))
            part.replace(kept)
    return kept.read_bytes()


def _download(arch: Arch) -> bytes:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"),
            *("--platform", f"manylinux_2_28_{arch}", "--dest", _FOLDER),
            *("--python-version", "3.11", f"microsandbox=={_VERSION}"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        unavailable(f"the package microsandbox cannot be had: {done.stderr.splitlines()[-1:]}")
    (wheel,) = _FOLDER.glob(f"microsandbox-*{arch}.whl")
    try:
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (one for one in archive.namelist() if "/libkrunfw.so" in one)
            return archive.read(name)
    finally:
        wheel.unlink()
