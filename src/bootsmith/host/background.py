"""Processes of bootsmith's own that go on when the command that started them has ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bootsmith.errors import HostError
from bootsmith.host.files import host_error

# A shell that starts it and ends: nobody has to wait for it but the system's first process.  The
# shell leads a session of its own, so no terminal's end and no Ctrl-C reaches what it leaves.
_LEAVE = '"$@" </dev/null &'


def start_in_background(
    module: str, arguments: Sequence[str], *, output: Path, descriptors: Sequence[int]
) -> None:
    """Run a module of this package in an interpreter of its own.

    It has the environment and the folder of this process, inherits ``descriptors`` and no
    other, and prints to the file ``output``.  Raises ``HostError`` when it cannot be started.
    """
    # -P: what lies in the current folder has no say in what is imported.
    words = (sys.executable, "-P", "-m", module, *arguments)
    try:
        with output.open("ab") as log:
            subprocess.run(
                ("/bin/sh", "-c", _LEAVE, "bootsmith", *words),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=tuple(descriptors),
                start_new_session=True,
                check=True,
            )
    except OSError as error:
        raise host_error(error, "start a process that prints to", output) from error


def own_pid() -> int:
    """The process id of this interpreter."""
    return os.getpid()


def kill_process(pid: int, *, working_on: Path) -> None:
    """End the process ``pid`` at once if it was started with a path of the name of ``working_on``.

    A number that was noted may be another process's by now, or may have been noted in another
    container.  Raises ``HostError`` when it is not that process.
    """
    with contextlib.suppress(ProcessLookupError):
        if not sys.platform.startswith("linux"):
            os.kill(pid, signal.SIGKILL)
            return
        handle = os.pidfd_open(pid)  # from here on it cannot become another's
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if os.fsencode(working_on.name) not in {word.rpartition(b"/")[2] for word in words}:
                raise HostError(
                    f"the process {pid} is another one by now, and was left alone",
                    hint="if the machine was started in a container, end it there",
                )
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        except FileNotFoundError:
            return  # it has just ended
        finally:
            os.close(handle)
