"""The processes of this machine, as /proc tells them."""

from __future__ import annotations

import contextlib
from pathlib import Path


def command_lines() -> list[str]:
    """The words of every process, parted by blanks."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            found.append(b" ".join(words).decode("utf-8", "replace"))
    return found


def children(pid: int) -> list[int]:
    """The processes whose parent is ``pid``."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (process / "stat").read_bytes().rpartition(b") ")[2].split()
            if int(fields[1]) == pid:
                found.append(int(process.name))
    return found
