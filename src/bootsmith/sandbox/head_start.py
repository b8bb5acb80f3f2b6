"""A sandbox that is found out about, and started, before there is anything to run in it."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

from bootsmith.errors import HostError
from bootsmith.host.paths import missing_folders, remove_empty_folders

# Loaded by those who start one: a build that finds nothing changed does not.
if TYPE_CHECKING:
    from bootsmith.host.sandbox.process import SandboxProcess


class HeadStart:
    """At most one process of a sandbox that waits for work, and those that end.

    Trying what this machine can do and starting an interpreter take a tenth of a second, which a
    build has while it is loaded itself and waits for its mirror; and to give a tree's memory back
    takes a moment, too.  For use from several threads.
    """

    def __init__(self, work_folder: Path) -> None:
        self._work_folder = work_folder
        self._lock = Lock()
        self._begun: Future[SandboxProcess | None] | None = None
        self._ending: list[Thread] = []
        self._made: list[Path] = []

    def begin(self) -> None:
        """Begin, and return at once; a second call does nothing."""
        with self._lock:
            if self._begun is None:
                self._made = missing_folders(self._work_folder)
                worker = ThreadPoolExecutor(1, thread_name_prefix="sandbox")
                self._begun = worker.submit(self._start)
                worker.shutdown(wait=False)

    def take(self) -> SandboxProcess:
        """The process that waits, or a new one.  Raises ``HostError`` when there can be none."""
        from bootsmith.host.sandbox.process import SandboxProcess

        return self._waiting() or SandboxProcess(self._work_folder)

    def end(self, process: SandboxProcess) -> None:
        """End a process that was taken, while the build goes on: ``close`` waits for that."""
        ending = Thread(target=process.close, name="end of sandbox")
        ending.start()
        self._ending.append(ending)

    def close(self) -> None:
        """End the process that waits, if nobody took it; then nothing is left of any."""
        for ending in self._ending:
            ending.join()
        process = self._waiting()
        if process is not None:
            process.close()
            remove_empty_folders(self._made)

    def _waiting(self) -> SandboxProcess | None:
        with self._lock:
            begun, self._begun = self._begun, None
        return begun.result() if begun is not None else None

    def _start(self) -> SandboxProcess | None:
        from bootsmith.host.namespaces import namespace_support
        from bootsmith.host.sandbox.process import SandboxProcess

        try:
            if namespace_support().kind != "none":
                return SandboxProcess(self._work_folder)
        except (HostError, OSError):  # told to who asks for one: it is tried again
            return None
        return None
