"""Cleaning up after a process that could not do it itself.

A guardian is a shell of a few hundred kilobytes that reads a pipe whose other end only this
process holds.  When this process ends without having released it (killed, crashed, left by
``os._exit``), the pipe ends, and the guardian kills the programs that were put in its care
and removes its folder.

It is preferred to Linux's ``PR_SET_PDEATHSIG`` because that signal is sent when the *thread*
that started the program ends, which a program with worker threads does all the time; because
it needs code between fork and exec; and because macOS has nothing like it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Self

from bootsmith.errors import HostError

# Reads "process PGID" for every program put in its care and "released" when all is well.
_SCRIPT = """\
trap '' HUP INT QUIT TERM
groups=
while read -r word group; do
  case $word in
    process) groups="$groups $group" ;;
    released) exit 0 ;;
  esac
done
for group in $groups; do kill -KILL "-$group"; done
rm -rf -- "$1"
"""


class Guardian:
    """Watches over ``folder`` and the programs started in its care.

    Raises ``HostError`` when it cannot be started.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._process = subprocess.Popen(
                ("/bin/sh", "-c", _SCRIPT, "bootsmith-guardian", os.fspath(folder)),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
                env={"PATH": os.defpath},
            )
        except OSError as error:
            raise HostError(f"/bin/sh could not be started: {error.strerror}") from error

    def fileno(self) -> int:
        """Where a program that starts writes ``process PGID``."""
        assert self._process.stdin is not None
        return self._process.stdin.fileno()

    def release(self) -> None:
        """All is cleaned up: the guardian ends and touches nothing."""
        stream = self._process.stdin
        assert stream is not None
        if not stream.closed:
            with contextlib.suppress(BrokenPipeError):  # somebody killed the guardian
                os.write(stream.fileno(), b"released\n")
            stream.close()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
