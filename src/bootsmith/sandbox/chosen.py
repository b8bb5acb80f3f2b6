"""The executor a build is handed: chosen when there is something to run, and not before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bootsmith.model.arch import Arch
from bootsmith.model.reporter import Reporter
from bootsmith.model.streams import BlobStore
from bootsmith.sandbox.executor import (
    Executor,
    ExecutorName,
    OnOutput,
    SandboxJob,
    StoredLayer,
)
from bootsmith.sandbox.head_start import HeadStart
from bootsmith.tree.file_tree import FileTree

# Loaded by those who run something: what finds out about this machine is a sandbox itself.
if TYPE_CHECKING:
    from bootsmith.sandbox.choose import Choice


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

    def require(self) -> None:
        """Say now, before anything is fetched, how commands will be run.

        Raises the errors of ``choose``.
        """
        choice = self._choice()
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
        if self._choice().executor == "vm":
            from bootsmith.sandbox.vm import VmExecutor

            assert self.kernel_package is not None, "with_kernel comes first"
            return VmExecutor(
                work_folder=self.work_folder,
                arch=self.arch,
                kernel_package=self.kernel_package,
                reporter=self.reporter,
                state_folder=self.state_folder,
            )
        from bootsmith.host.namespaces import namespace_support
        from bootsmith.sandbox.namespace import NamespaceExecutor

        support = namespace_support()
        assert support.kind != "none", "choose has looked"
        return NamespaceExecutor(
            start=self.head_start.take, end=self.head_start.end, kind=support.kind
        )

    def _choice(self) -> Choice:
        from bootsmith.sandbox.choose import choose, sandbox_facts

        return choose(self.wanted, sandbox_facts(self.arch))
