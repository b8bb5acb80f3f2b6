"""Which executor a build gets: the user's word, or what this machine can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self, TypeAlias

from bootsmith.errors import HostError, ToolMissing
from bootsmith.host.emulation import executes
from bootsmith.host.namespaces import NamespaceSupport, namespace_support
from bootsmith.host.tools import find_tool, install_line
from bootsmith.model.arch import Arch
from bootsmith.model.reporter import Reporter
from bootsmith.model.streams import BlobStore
from bootsmith.sandbox.executor import Executor, OnOutput, SandboxJob, StoredLayer
from bootsmith.sandbox.head_start import HeadStart
from bootsmith.tree.file_tree import FileTree

ExecutorName: TypeAlias = Literal["auto", "namespace", "vm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxFacts:
    """What this machine has for guests of ``arch``.

    ``executes``: whether its kernel runs their programs.
    """

    arch: Arch
    namespaces: NamespaceSupport
    executes: bool
    has_qemu: bool


def sandbox_facts(arch: Arch) -> SandboxFacts:
    """Found out by trying, not by asking."""
    return SandboxFacts(
        arch=arch,
        namespaces=namespace_support(),
        executes=executes(arch),
        has_qemu=find_tool(arch.qemu_system) is not None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """``reason`` says why it is a machine although nobody asked for one; else it is empty."""

    executor: Literal["namespace", "vm"]
    reason: str = ""


def choose(wanted: ExecutorName, facts: SandboxFacts) -> Choice:
    """What runs a guest's commands; namespaces are preferred, for they are quicker.

    Raises ``HostError`` that names the fix where no command can be run as wanted
    (``ToolMissing`` where that is QEMU).
    """
    tool = facts.arch.qemu_system
    if wanted == "vm":
        if facts.has_qemu:
            return Choice(executor="vm")
        raise ToolMissing(f"{tool} is not installed", tool=tool, install=install_line(tool))
    problem, fix = _problem_with_namespaces(facts)
    if not problem:
        return Choice(executor="namespace")
    if wanted == "namespace":
        raise HostError(
            f"package scripts cannot be run in namespaces: {problem}",
            hint=f"{fix}; or let a virtual machine run them (--executor vm)",
        )
    if facts.has_qemu:
        return Choice(executor="vm", reason=problem)
    raise HostError(
        f"package scripts cannot be run on this machine: {problem}, and there is no {tool} "
        "to run them in a virtual machine",
        hint=f"{install_line(tool)}; or {fix}",
    )


def _problem_with_namespaces(facts: SandboxFacts) -> tuple[str, str]:
    """Why namespaces will not do, and what would change that; nothing where they will."""
    if facts.namespaces.kind == "none":
        return facts.namespaces.reason, facts.namespaces.fix
    if not facts.executes:
        return (
            f"this machine does not execute {facts.arch} programs",
            "install qemu-user-static, which registers an emulator with the kernel",
        )
    return "", ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenExecutor:
    """Makes the choice when there is something to run, and then runs it.

    A build whose steps are all in the store runs no command, and so needs nothing of the
    machine.  ``kernel_package`` is asked only when a virtual machine starts.
    """

    wanted: ExecutorName
    arch: Arch
    work_folder: Path
    state_folder: Path
    reporter: Reporter
    head_start: HeadStart
    kernel_package: Callable[[], FileTree] | None = None

    def with_kernel(self, package: Callable[[], FileTree]) -> Self:
        """The same with a kernel to boot."""
        return replace(self, kernel_package=package)

    def look_ahead(self) -> None:
        """Begin with what ``require`` and the first ``run`` will need; returns at once."""
        if self.wanted != "vm":
            self.head_start.begin()

    def close(self) -> None:
        """End what was begun and not used."""
        self.head_start.close()

    def require(self) -> None:
        """Say now, before anything is fetched, how commands will be run.

        Raises the errors of ``choose``.
        """
        choice = choose(self.wanted, sandbox_facts(self.arch))
        if choice.reason:
            self.reporter.warning(
                f"package scripts run in a virtual machine, which takes longer: {choice.reason}"
            )

    def run(
        self, tree: FileTree, job: SandboxJob, *, blobs: BlobStore, on_output: OnOutput
    ) -> StoredLayer:
        return self._executor().run(tree, job, blobs=blobs, on_output=on_output)

    def _executor(self) -> Executor:
        # Imported here: a build that runs nothing needs neither, and hardly any needs a machine.
        if choose(self.wanted, sandbox_facts(self.arch)).executor == "vm":
            from bootsmith.sandbox.vm import VmExecutor

            assert self.kernel_package is not None, "with_kernel comes first"
            return VmExecutor(
                work_folder=self.work_folder,
                arch=self.arch,
                kernel_package=self.kernel_package,
                reporter=self.reporter,
                state_folder=self.state_folder,
            )
        from bootsmith.sandbox.namespace import NamespaceExecutor

        support = namespace_support()
        assert support.kind != "none", "choose has looked"
        return NamespaceExecutor(start=self.head_start.take, kind=support.kind)
