"""A real Debian image, built once a test run and shared by all tests and workers.

Packages are kept in ``.cache/tests`` of the checkout, so that the next run downloads nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from bootsmith.host.locks import locked
from tests.support.judges import unavailable

CHECKOUT = Path(__file__).parents[2]
CACHE = CHECKOUT / ".cache" / "tests" / "store"
BOOTSMITH = Path(sys.executable).with_name("bootsmith")


def bootsmith(
    *words: str | Path,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    cwd: Path | None = None,
    timeout_s: float = 300,
) -> subprocess.CompletedProcess[bytes]:
    """Run the command line as a user would, with the tests' own cache."""
    return subprocess.run(
        [BOOTSMITH, *words],
        env={**os.environ, "BOOTSMITH_CACHE_DIR": str(CACHE), **(env or {})},
        input=stdin,
        cwd=cwd,
        capture_output=True,
        timeout=timeout_s,
        check=False,
    )


def build(output: Path, *words: str | Path, env: Mapping[str, str] | None = None) -> str:
    """``bootsmith build`` that must succeed, and what it said."""
    done = bootsmith("build", "--output", output, *words, env=env)
    said = (done.stdout + done.stderr).decode()
    if done.returncode and "cannot be reached" in said:
        unavailable(f"no Debian mirror can be reached: {said.splitlines()[-1]}")
    assert done.returncode == 0, said
    return said


def shared_image(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The default image of this test run.  Whichever worker comes first builds it."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    folder = shared / "default-image"
    with locked(shared / "default-image.lock"):
        if not folder.exists():
            build(folder)
    return folder
