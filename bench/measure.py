"""Timing, and the table that is printed."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RUNS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table.  ``ratio`` is ours to the peer's; ``aim`` says what it should be."""

    what: str
    ours: str
    peer: str = ""
    ratio: float | None = None
    aim: str = ""


def median_s(action: Callable[[], object], *, runs: int = RUNS) -> float:
    """The median duration of ``runs`` calls, after one that does not count."""
    action()
    return statistics.median(duration_s(action) for _ in range(runs))


def median_pair_s(
    ours: Callable[[], object], peer: Callable[[], object], *, runs: int = RUNS
) -> tuple[float, float]:
    """The medians of two actions run in turn, so that a slow moment of the machine hits both."""
    ours()
    peer()
    pairs = [(duration_s(ours), duration_s(peer)) for _ in range(runs)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def duration_s(action: Callable[[], object]) -> float:
    """How long ``action`` takes once the disk has what was written and deleted before it.

    Who runs second would pay for that otherwise: both sides wait for their own data to be on disk.
    """
    os.sync()
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def ratio_row(what: str, ours_s: float, peer_name: str, peer_s: float, aim: str) -> Row:
    return Row(
        what=what,
        ours=f"{ours_s:.2f} s",
        peer=f"{peer_name} {peer_s:.2f} s",
        ratio=ours_s / peer_s,
        aim=aim,
    )


def run(*argv: str | Path, env: Mapping[str, str] | None = None) -> str:
    """Run a program that must succeed, and return what it prints."""
    done = subprocess.run(
        [os.fspath(word) for word in argv],
        env=_as_installed({**os.environ, **(env or {})}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{argv[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def _as_installed(env: dict[str, str]) -> dict[str, str]:
    """With compiled modules kept, as pip leaves them: compiling takes longer than ``--help``."""
    return {name: value for name, value in env.items() if name != "PYTHONDONTWRITEBYTECODE"}


def bootsmith(*words: str | Path, env: Mapping[str, str] | None = None) -> str:
    """Run the command line of this source tree."""
    return run(Path(sys.executable).with_name("bootsmith"), *words, env=env)


def machine() -> str:
    """One line on where the figures come from."""
    cpu = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    python = f"Python {platform.python_version()}"
    return f"{cpu}, {os.cpu_count()} processors, {platform.platform()}, {python}"


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, which a terminal shows well enough."""
    head = ("what", "bootsmith", "peer", "ratio", "aim")
    body = [
        (row.what, row.ours, row.peer, f"{row.ratio:.2f}" if row.ratio else "", row.aim)
        for row in rows
    ]
    widths = [max(len(line[column]) for line in (head, *body)) for column in range(len(head))]
    lines = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in (head, *body)
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
