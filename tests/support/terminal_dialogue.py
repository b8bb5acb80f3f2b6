"""A program on a terminal of its own, and what a person would type there."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_TIMEOUT_S = 120.0


class TerminalDialogue:
    """Starts ``argv`` as the leader of a session whose terminal has the given size."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        rows: int = 24,
        columns: int = 80,
    ) -> None:
        self._master, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._process = subprocess.Popen(
            ["setsid", "--ctty", *argv], stdin=terminal, stdout=terminal, stderr=terminal, env=env
        )
        os.close(terminal)
        self._unread = ""
        self.said = ""

    def say(self, text: str) -> None:
        """Type ``text``."""
        os.write(self._master, text.encode())

    def expect(self, text: str, *, timeout_s: float = _TIMEOUT_S) -> None:
        """Wait until ``text`` appears behind what was waited for before."""
        deadline = time.monotonic() + timeout_s
        while text not in self._unread:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not self._listen(left_s):
                raise AssertionError(f"{text!r} did not appear; on the terminal:\n{self.said}")
        self._unread = self._unread.partition(text)[2]

    def wait(self, *, timeout_s: float = _TIMEOUT_S) -> int:
        """Listen until the program has ended; its exit status."""
        deadline = time.monotonic() + timeout_s
        while self._listen(max(0.0, deadline - time.monotonic())):
            pass
        return self._process.wait(timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        os.close(self._master)

    def _listen(self, timeout_s: float) -> bool:
        """Take what is there; false when nothing came in time or nothing will come."""
        readable, _, _ = select.select([self._master], [], [], timeout_s)
        if not readable:
            return False
        try:
            data = os.read(self._master, 1 << 16).decode("utf-8", "replace")
        except OSError:
            return False  # EIO: the other side is closed.
        self._unread += data
        self.said += data
        return bool(data)
