"""Whoever is killed, nothing keeps running and no files stay."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Self

import pytest

from tests.sandbox.conftest import Sandbox
from tests.support.host_programs import host_programs_tree
from tests.support.ordinary_user import CHECKOUT
from tests.support.processes import children, command_lines

_CODE = """
import sys
from pathlib import Path
from bootsmith.host.sandbox.process import SandboxProcess
from bootsmith.sandbox.namespace import NamespaceExecutor
from tests.sandbox.conftest import job
from tests.support.host_programs import host_programs_tree
from tests.support.memory_blobs import MemoryBlobs

kind, folder, script = sys.argv[1:]
NamespaceExecutor(start=lambda: SandboxProcess(Path(folder)), kind=kind).run(
    host_programs_tree(),
    job(script),
    blobs=MemoryBlobs(),
    on_output=lambda label, line: print(line.decode(), flush=True),
)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_bootsmith_is_killed(any_sandbox: Sandbox, number: signal.Signals) -> None:
    with _Running(any_sandbox) as running:
        running.process.send_signal(number)
        running.process.wait()
        _eventually(lambda: not running.is_alive())
    _eventually(lambda: list(any_sandbox.folder.iterdir()) == [])


def test_the_folder_is_removed_by_another_and_bootsmith_killed(any_sandbox: Sandbox) -> None:
    with _Running(any_sandbox) as running:
        shutil.rmtree(any_sandbox.folder, ignore_errors=True)  # a file system in memory stays
        running.process.kill()
        running.process.wait()
        _eventually(lambda: not running.is_alive())


def test_the_keeper_is_killed(sandbox: Sandbox) -> None:
    with _Running(sandbox) as running:
        (keeper,) = children(running.process.pid)
        os.kill(keeper, signal.SIGKILL)
        _, errors = running.process.communicate()
        assert b"HostError: the sandbox ended unexpectedly" in errors
        _eventually(lambda: not running.is_alive())
    assert list(sandbox.folder.iterdir()) == []


def test_both_are_killed(sandbox: Sandbox) -> None:
    """What then stays is removed by the next sandbox in the same place."""
    with _Running(sandbox) as running:
        (keeper,) = children(running.process.pid)
        os.kill(running.process.pid, signal.SIGSTOP)
        os.kill(keeper, signal.SIGKILL)
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait()
        _eventually(lambda: not running.is_alive())
    sandbox.script("true", host_programs_tree())
    assert list(sandbox.folder.iterdir()) == []


class _Running:
    """Another bootsmith whose sandbox runs a command that never ends, and its children."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.mark = f"sleep 96{os.getpid()}{time.monotonic_ns() % 100_000}"
        script = f"trap '' TERM HUP; {self.mark} & setsid {self.mark} & echo begun; wait"
        path = os.pathsep.join((str(CHECKOUT), *filter(None, sys.path)))
        self.process = subprocess.Popen(
            [sys.executable, "-c", _CODE, sandbox.kind, sandbox.folder, script],
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        assert self.process.stdout is not None
        if self.process.stdout.readline() != b"begun\n":
            pytest.fail(self.process.communicate()[1].decode())
        _eventually(self.is_alive)  # it was forked, and perhaps not executed yet
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def is_alive(self) -> bool:
        return self.mark in command_lines()


def _eventually(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it did not come about within 10 s")
