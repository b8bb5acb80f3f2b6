"""Starting the keeper of a sandbox, talking with it, and being sure that it ends."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from bootsmith.host.clock import Deadline
from bootsmith.host.files import FileSink, FileSource, host_error
from bootsmith.host.sandbox.messages import (
    Disconnected,
    Mapped,
    Message,
    Plan,
    WantsMapping,
    receive,
    send,
)
from bootsmith.host.sandbox.subordinate_ids import map_ids
from bootsmith.host.sandbox.work_folder import WorkFolder
from bootsmith.model.streams import ByteSource

_PACKAGE_PARENT = Path(__file__).resolve().parents[3]
# -I: neither the user's environment nor the current folder has a say in what is imported.
# -S: it needs nothing that was installed besides.
_OPTIONS = ("-I", "-S")
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from bootsmith.host.sandbox.keeper import main; "
    "main(int(sys.argv[2]), int(sys.argv[3]))"
)
_GRACE_S = 20.0


class TimeOut(Exception):
    """The deadline passed."""


class SandboxProcess:
    """A keeper at work on one ``Plan``.

    Leaving the ``with`` block ends everything that still runs in the sandbox and waits until
    the tree is removed.
    """

    def __init__(self, work_folder: Path) -> None:
        self._folder = WorkFolder(work_folder)
        self.folder = self._folder.path
        self._copies = 0
        self._channel, theirs = socket.socketpair()
        try:
            (self.folder / "tree").mkdir()
            self._errors = tempfile.TemporaryFile(dir=work_folder)  # noqa: SIM115  (see close)
            self._content = tempfile.TemporaryFile(dir=work_folder)  # noqa: SIM115
            self._process = self._start(theirs.fileno(), self._content.fileno())
        except OSError as error:
            self._channel.close()
            self._folder.close()
            raise host_error(error, "start a sandbox in", work_folder) from error
        finally:
            theirs.close()

    def run(self, plan: Plan, *, timeout_s: float | None = None) -> Iterator[Message]:
        """Carry out ``plan`` and tell what happens, until nothing more does.

        Raises ``TimeOut`` when it takes longer than ``timeout_s``, ``HostError`` when the ids
        cannot be mapped.
        """
        deadline = Deadline.after(timeout_s)
        with contextlib.suppress(Disconnected):
            leftovers = [bytes(path) for path in self._folder.leftovers()]
            send(self._channel, plan._replace(leftovers=leftovers))
            while True:
                self._wait_for_message(deadline)
                message = receive(self._channel)
                if isinstance(message, WantsMapping):
                    map_ids(message.pid)
                    send(self._channel, Mapped())
                else:
                    yield message

    def path_of(self, source: ByteSource) -> bytes:
        """A file with the bytes of ``source``, which the keeper can open.

        Blobs of a store are files already; any other source is copied, for this run.
        """
        if isinstance(source, FileSource):
            return bytes(source.path.absolute())
        self._copies += 1
        path = self.folder / f"source-{self._copies}"
        with FileSink(path) as sink:
            sink.copy_from(source, 0, source.size_bytes)
        return bytes(path)

    def content(self) -> FileSource:
        """The data of the files that were captured."""
        return FileSource(Path(f"/proc/self/fd/{self._content.fileno()}"))

    def complaint(self) -> str:
        """What the keeper itself printed: something only when it has a mistake."""
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace").strip()

    def close(self) -> None:
        """End it all.  Raises nothing; a second call does nothing."""
        self._channel.close()  # to the keeper this says: kill the commands, remove the tree
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        self._errors.close()
        self._content.close()
        self._folder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _start(self, channel: int, content: int) -> subprocess.Popen[bytes]:
        start = (*_OPTIONS, "-c", _START, os.fspath(_PACKAGE_PARENT), str(channel), str(content))
        return subprocess.Popen(
            (sys.executable, *start),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            pass_fds=(channel, content, self._folder.lock),
            env={"LC_ALL": "C.UTF-8"},
            cwd="/",
            start_new_session=True,  # a Ctrl-C in the terminal is ours to act on
        )

    def _wait_for_message(self, deadline: Deadline) -> None:
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        remaining_s = deadline.remaining_s()
        if not poll.poll(None if remaining_s is None else remaining_s * 1000):
            raise TimeOut
