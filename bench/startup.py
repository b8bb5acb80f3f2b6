"""How long a person waits before anything happens.

What a build takes that finds nothing changed stands with the builds: it needs an image.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.start_up import image_of_nothing, qemu_that_ends

from bench.measure import RUNS, Row, bootsmith, median_s


def rows() -> Iterator[Row]:
    yield _row("bootsmith --help", lambda: bootsmith("--help"))
    with tempfile.TemporaryDirectory() as folder:
        image, env = image_of_nothing(Path(folder)), qemu_that_ends(Path(folder))
        yield _row("bootsmith exec, until QEMU would start", lambda: _start_exec(image, env))


def _row(what: str, action: object) -> Row:
    assert callable(action)
    return Row(what=what, ours=f"{median_s(action, runs=2 * RUNS) * 1000:.0f} ms", aim="≤ 150 ms")


def _start_exec(image: Path, env: Mapping[str, str]) -> None:
    program = Path(sys.executable).with_name("bootsmith")
    done = subprocess.run(
        [program, "exec", image, "--", "true"], capture_output=True, check=False, env=env
    )
    assert done.returncode == 1, done.stderr
    assert b"so far" in done.stderr, done.stderr
