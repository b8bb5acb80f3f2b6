"""How long a person waits before anything happens."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.measure import RUNS, Row, bootsmith, median_s


def rows() -> Iterator[Row]:
    yield _row("bootsmith --help", lambda: bootsmith("--help"))
    yield _row("bootsmith exec, until QEMU would start", _start_exec)


def _row(what: str, action: object) -> Row:
    assert callable(action)
    return Row(what=what, ours=f"{median_s(action, runs=2 * RUNS) * 1000:.0f} ms", aim="≤ 150 ms")


def _start_exec() -> None:
    """``exec`` of an image that is not there ends where a real one would start QEMU."""
    program = Path(sys.executable).with_name("bootsmith")
    done = subprocess.run(
        [program, "exec", "/nonexistent", "--", "true"], capture_output=True, check=False
    )
    assert done.returncode == 1, done.stderr
