"""Executors of every kind that this machine and user can have."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from bootsmith.host.namespaces import SandboxKind, namespace_support
from bootsmith.host.sandbox.process import SandboxProcess
from bootsmith.model.guest_command import GuestCommand
from bootsmith.sandbox.executor import Executor, SandboxJob
from bootsmith.sandbox.namespace import NamespaceExecutor
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer
from tests.support.host_programs import host_programs_tree
from tests.support.judges import unavailable
from tests.support.memory_blobs import MemoryBlobs

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}


class Sandbox:
    """An executor with its blobs and everything its commands printed."""

    def __init__(self, kind: SandboxKind, folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        self.blobs = MemoryBlobs()
        self.printed: list[tuple[str, str]] = []
        self.executor: Executor = NamespaceExecutor(
            start=partial(SandboxProcess, folder), kind=kind
        )

    @property
    def lines(self) -> list[str]:
        return [line for _, line in self.printed]

    def run(self, job: SandboxJob, tree: FileTree | None = None) -> Layer:
        return self.executor.run(
            tree or host_programs_tree(), job, blobs=self.blobs, on_output=self._print
        ).layer

    def script(self, text: str, tree: FileTree | None = None) -> Layer:
        """Run a shell script, which must succeed."""
        return self.run(job(text), tree)

    def _print(self, label: str, line: bytes) -> None:
        self.printed.append((label, line.decode("utf-8", "backslashreplace")))


def job(*scripts: str, **fields: object) -> SandboxJob:
    """A job of shell scripts, labelled ``script 1`` and so on."""
    commands = tuple(
        GuestCommand(argv=("/bin/sh", "-c", text), label=f"script {number}", env=ENVIRONMENT)
        for number, text in enumerate(scripts, start=1)
    )
    return SandboxJob(commands=commands, **fields)  # type: ignore[arg-type]


def _kinds() -> list[SandboxKind]:
    return ["root", "chroot"] if os.geteuid() == 0 else ["subuid"]


@pytest.fixture(params=_kinds())
def any_sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    """A sandbox of each kind that may work for this user."""
    return _sandbox(request.param, tmp_path)


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return make_sandbox(tmp_path)


def make_sandbox(folder: Path) -> Sandbox:
    """A sandbox with namespaces."""
    return _sandbox("root" if os.geteuid() == 0 else "subuid", folder)


def _sandbox(kind: SandboxKind, folder: Path) -> Sandbox:
    support = namespace_support()
    if kind not in (support.kind, "chroot"):
        unavailable(f"no sandbox with namespaces: {support.reason}")
    return Sandbox(kind, folder / "work")
