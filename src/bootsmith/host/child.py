"""Programs that keep running.

A child is a session of its own, so that a Ctrl-C in the terminal reaches only bootsmith, which
then ends the child in good order.  Its output goes to a file.  It is put in the care of a
guardian before its program begins, so that it cannot outlive bootsmith.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from bootsmith.errors import CommandFailed
from bootsmith.host.guardian import Guardian
from bootsmith.host.process import clean_environment
from bootsmith.host.tools import require_tool

_TAIL_BYTES = 4096

# Standard output is the guardian's pipe until the program itself begins.  The shell becomes the
# program, so its process id, which as session leader is also its group's, stays the same.
_ENTRUST_THEN_BECOME = 'echo "process $$"; log=$1; shift; exec "$@" >"$log" 2>&1'


class Child:
    """A running program; its methods may be called from any thread."""

    def __init__(
        self, process: subprocess.Popen[bytes], argv: tuple[str, ...], output: Path
    ) -> None:
        self._process = process
        self.argv = argv
        self.output = output

    @classmethod
    def start(
        cls,
        argv: Sequence[str | os.PathLike[str]],
        *,
        guardian: Guardian,
        output: Path,
        descriptors: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
    ) -> Child:
        """Start a program with a clean environment; it inherits ``descriptors`` and no other.

        Raises ``ToolMissing`` when it is not installed, ``CommandFailed`` when the system
        refuses to start it.
        """
        words = tuple(os.fspath(word) for word in argv)
        program = words[0] if "/" in words[0] else os.fspath(require_tool(words[0]))
        shell = ("/bin/sh", "-c", _ENTRUST_THEN_BECOME, "bootsmith-child", os.fspath(output))
        try:
            process = subprocess.Popen(
                (*shell, program, *words[1:]),
                stdin=subprocess.DEVNULL,
                stdout=guardian.fileno(),
                stderr=subprocess.DEVNULL,
                env=clean_environment(env),
                pass_fds=tuple(descriptors),
                start_new_session=True,
            )
        except OSError as error:
            raise CommandFailed(
                f"{words[0]} could not be started: {error.strerror}", argv=words, exit_code=127
            ) from error
        return cls(process, words, output)

    @property
    def pid(self) -> int:
        return self._process.pid

    def status(self) -> int | None:
        """The exit status, 128 + n after signal n, or ``None`` while it runs."""
        return _status(self._process.poll())

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the end; ``None`` when it still runs after ``timeout_s``."""
        try:
            return _status(self._process.wait(timeout_s))
        except subprocess.TimeoutExpired:
            return None

    def terminate(self, *, grace_s: float = 3.0) -> int:
        """Ask the program to end, and kill it when it has not after ``grace_s``."""
        if self.status() is None:
            self._signal(signal.SIGTERM)
        if self.wait(grace_s) is None:
            self.kill()
        status = self.wait()
        assert status is not None
        return status

    def kill(self) -> None:
        """End the program and all it started, at once."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def output_tail(self) -> str:
        """The end of what it printed."""
        try:
            with self.output.open("rb") as stream:
                size = stream.seek(0, os.SEEK_END)
                stream.seek(max(0, size - _TAIL_BYTES))
                return stream.read().decode("utf-8", "replace").strip()
        except FileNotFoundError:
            return ""

    def _signal(self, number: signal.Signals) -> None:
        # Once it has been waited for, its number may already belong to another program.
        if self._process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def _status(returncode: int | None) -> int | None:
    if returncode is None or returncode >= 0:
        return returncode
    return 128 - returncode
