"""Which executor a build gets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bootsmith.errors import HostError
from bootsmith.host.namespaces import namespace_support
from bootsmith.model.streams import BlobStore
from bootsmith.sandbox.executor import Executor, OnOutput, SandboxJob, StoredLayer
from bootsmith.sandbox.namespace import NamespaceExecutor
from bootsmith.tree.file_tree import FileTree


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomaticExecutor:
    """Finds out what this machine can do when the first command is to be run.

    A build whose steps are all in the store runs no command, and so needs nothing of the
    machine.  Raises ``HostError`` that names the fix where no command can be run.
    """

    work_folder: Path

    def run(
        self, tree: FileTree, job: SandboxJob, *, blobs: BlobStore, on_output: OnOutput
    ) -> StoredLayer:
        return self._executor().run(tree, job, blobs=blobs, on_output=on_output)

    def _executor(self) -> Executor:
        support = namespace_support()
        if support.kind == "none":
            raise HostError(
                f"package scripts cannot be run on this machine: {support.reason}",
                hint=support.fix,
            )
        return NamespaceExecutor(work_folder=self.work_folder, kind=support.kind)
