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
from bootsmith.sandbox.namespace import NamespaceExecutor
from bootsmith.sandbox.vm import VmExecutor
from bootsmith.tree.file_tree import FileTree

ExecutorName: TypeAlias = Literal["auto", "namespace", "vm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """``reason`` says why it is a machine although nobody asked for one; else it is empty."""

    executor: Literal["namespace", "vm"]
    reason: str = ""


def choose(wanted: ExecutorName, arch: Arch) -> Choice:
    """What runs the commands of a guest of ``arch`` on this machine.

    Namespaces are preferred, for they are quicker.  Raises ``HostError`` that names the fix
    where no command can be run as wanted (``ToolMissing`` where that is QEMU).
    """
    if wanted == "vm":
        _require_qemu(arch)
        return Choice(executor="vm")
    support = namespace_support()
    problem, fix = _problem(support, arch)
    if not problem:
        return Choice(executor="namespace")
    if wanted == "namespace":
        raise HostError(
            f"package scripts cannot be run in namespaces: {problem}",
            hint=f"{fix}; or let a virtual machine run them (--executor vm)",
        )
    if find_tool(arch.qemu_system) is None:
        raise HostError(
            f"package scripts cannot be run on this machine: {problem}, and there is no "
            f"{arch.qemu_system} to run them in a virtual machine",
            hint=f"{install_line(arch.qemu_system)}; or {fix}",
        )
    return Choice(executor="vm", reason=problem)


def _problem(support: NamespaceSupport, arch: Arch) -> tuple[str, str]:
    """Why namespaces will not do, and what would change that; nothing where they will."""
    if support.kind == "none":
        return support.reason, support.fix
    if not executes(arch):
        return (
            f"this machine does not execute {arch} programs",
            "install qemu-user-static, which registers an emulator with the kernel",
        )
    return "", ""


def _require_qemu(arch: Arch) -> None:
    if find_tool(arch.qemu_system) is None:
        install = install_line(arch.qemu_system)
        raise ToolMissing(
            f"a virtual machine for {arch} needs {arch.qemu_system}, which is not installed",
            tool=arch.qemu_system,
            install=install,
        )


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
    kernel_package: Callable[[], FileTree] | None = None

    def with_kernel(self, package: Callable[[], FileTree]) -> Self:
        """The same with a kernel to boot."""
        return replace(self, kernel_package=package)

    def require(self) -> None:
        """Say now, before anything is fetched, how commands will be run.

        Raises the errors of ``choose``.
        """
        choice = choose(self.wanted, self.arch)
        if choice.reason:
            self.reporter.warning(
                f"package scripts run in a virtual machine, which takes longer: {choice.reason}"
            )

    def run(
        self, tree: FileTree, job: SandboxJob, *, blobs: BlobStore, on_output: OnOutput
    ) -> StoredLayer:
        return self._executor().run(tree, job, blobs=blobs, on_output=on_output)

    def _executor(self) -> Executor:
        if choose(self.wanted, self.arch).executor == "vm":
            assert self.kernel_package is not None, "with_kernel comes first"
            return VmExecutor(
                work_folder=self.work_folder,
                arch=self.arch,
                kernel_package=self.kernel_package,
                reporter=self.reporter,
                state_folder=self.state_folder,
            )
        support = namespace_support()
        assert support.kind != "none", "choose has looked"
        return NamespaceExecutor(work_folder=self.work_folder, kind=support.kind)
