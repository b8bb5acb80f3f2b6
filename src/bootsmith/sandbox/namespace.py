"""The executor that isolates with the kernel's namespaces: fast, and without root."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bootsmith.errors import HostError
from bootsmith.host.memory import spare_memory_bytes
from bootsmith.host.namespaces import SandboxKind
from bootsmith.host.resolver import name_servers
from bootsmith.host.sandbox.messages import (
    CannotStart,
    Captured,
    Command,
    Ended,
    Output,
    Plan,
    SetUpFailed,
)
from bootsmith.host.sandbox.process import SandboxProcess, TimeOut
from bootsmith.model.guest_command import GuestFile
from bootsmith.model.guest_path import guest_path
from bootsmith.model.streams import BlobStore
from bootsmith.sandbox.executor import OnOutput, SandboxJob, StoredLayer
from bootsmith.sandbox.failures import cannot_start, failed, timed_out
from bootsmith.sandbox.output import Lines
from bootsmith.sandbox.records import to_members, to_records
from bootsmith.sandbox.stored import SCRATCH, store_layer
from bootsmith.sandbox.surroundings import Surroundings, surround
from bootsmith.tree.entry import RegularFile
from bootsmith.tree.file_tree import FileTree

_EMULATORS = (
    "install qemu-user-static, which registers emulators with the kernel, "
    "or use a virtual machine (--executor vm)"
)
_PAGE_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceExecutor:
    """Runs commands in namespaces of the ``kind`` this machine has.

    ``start`` makes a process whose work folder is best on the file system of the blobs.  Trees
    are put on disk there, and are gone once the process has ended; ``end``, which is handed each
    whose work is done, need not wait for that.  See ``Executor`` for the rest.
    """

    start: Callable[[], SandboxProcess]
    kind: SandboxKind
    end: Callable[[SandboxProcess], object] = SandboxProcess.close

    def run(
        self, tree: FileTree, job: SandboxJob, *, blobs: BlobStore, on_output: OnOutput
    ) -> StoredLayer:
        files = (*job.files, *_resolver_files()) if job.network else job.files
        around = surround(tree, files, mounts=self.kind != "chroot", fresh_tmp=job.fresh_tmp)
        process = self.start()
        try:
            plan = self._plan(around, job, blobs, process)
            captured = _follow(process, plan, job, on_output)
            members = to_members(captured.changed, captured.removed, content=SCRATCH)
            return store_layer(members, scratch=process.content(), blobs=blobs)
        finally:
            self.end(process)

    def _plan(
        self, around: Surroundings, job: SandboxJob, blobs: BlobStore, process: SandboxProcess
    ) -> Plan:
        records, digests = to_records(around.tree)
        return Plan(
            kind=self.kind,
            folder=bytes(process.folder / "tree"),
            memory_bytes=self._memory_bytes(around.tree),
            network=job.network,
            host_name=job.hostname.encode(),
            records=records,
            sources=[process.path_of(blobs.open_blob(digest)) for digest in digests],
            view=around.view,
            ignored=around.temporary,
            excluded=around.excluded,
            commands=[
                Command(command.argv, dict(command.env), command.cwd) for command in job.commands
            ],
        )

    def _memory_bytes(self, tree: FileTree) -> int:
        """How much memory the tree and what the commands add to it may take; 0: use the disk."""
        if self.kind == "chroot":  # which may mount nothing
            return 0
        spare_bytes = spare_memory_bytes()
        size_bytes = sum(
            entry.content.size_bytes + _PAGE_BYTES
            for _, entry in tree.items()
            if isinstance(entry, RegularFile)
        )
        return spare_bytes * 3 // 4 if size_bytes < spare_bytes // 4 else 0


def _follow(process: SandboxProcess, plan: Plan, job: SandboxJob, on_output: OnOutput) -> Captured:
    """What was captured at the end; what the commands print goes to ``on_output``."""
    current = 0
    lines = Lines(job.commands[0].label if job.commands else "", on_output)
    try:
        for message in process.run(plan, timeout_s=job.timeout_s):
            match message:
                case Output(command, data):
                    lines.add(data)
                case Ended(command, exit_code):
                    lines.end()
                    if exit_code:
                        raise failed(job.commands[command], exit_code, tail=lines.tail)
                    current = command + 1
                    if current < len(job.commands):
                        lines = Lines(job.commands[current].label, on_output)
                case CannotStart(command, code, reason):
                    raise cannot_start(job.commands[command], code, reason, hint=_EMULATORS)
                case SetUpFailed(stage, _, reason):
                    raise _refused(stage, reason)
                case Captured():
                    return message
    except TimeOut:
        lines.end()
        assert job.timeout_s is not None
        raise timed_out(job.commands[current], job.timeout_s, tail=lines.tail) from None
    raise HostError(f"the sandbox ended unexpectedly\n{process.complaint()}".rstrip())


def _refused(stage: str, reason: str) -> HostError:
    if stage == "capture":
        return HostError(f"what the commands changed cannot be read: {reason}")
    return HostError(
        f"the sandbox cannot be set up: {stage}: {reason}",
        hint="see what `bootsmith doctor` says about namespaces",
    )


def _resolver_files() -> Iterator[GuestFile]:
    yield GuestFile(path=guest_path("etc/resolv.conf"), content=name_servers())
