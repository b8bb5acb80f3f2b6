"""The executor that isolates with a machine: slower, and it needs nothing but QEMU.

No privilege, no subordinate ids, no namespaces, not even Linux; and any architecture QEMU has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bootsmith.host.files import FileSource, free_bytes
from bootsmith.host.guardian import Guardian
from bootsmith.host.memory import spare_memory_bytes
from bootsmith.host.sandbox.mounts import View
from bootsmith.host.sandbox.work_folder import WorkFolder
from bootsmith.model.arch import Arch
from bootsmith.model.guest_command import GuestFile
from bootsmith.model.guest_path import guest_path
from bootsmith.model.reporter import Reporter
from bootsmith.model.streams import BlobStore
from bootsmith.sandbox.disk import layer_members, look, write_disk
from bootsmith.sandbox.executor import OnOutput, SandboxJob, StoredLayer
from bootsmith.sandbox.gathered import GatheredContents
from bootsmith.sandbox.stored import store_layer
from bootsmith.sandbox.surroundings import surround_on_disk
from bootsmith.sandbox.tree_guest import TreeGuest
from bootsmith.sandbox.tree_machine import NAME_SERVERS, machine_spec
from bootsmith.tree.file_tree import FileTree
from bootsmith.vm.machine import Accelerator
from bootsmith.vm.runner import StartOptions, start_machine
from bootsmith.vm.running import RunningMachine

_RESOLVER = GuestFile(path=guest_path("etc/resolv.conf"), content=NAME_SERVERS)
_ROOM_MAX_BYTES = 16 << 30
_MEMORY_MAX_MIB = 4096
_MEMORY_MIN_MIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class VmExecutor:
    """Runs commands in a machine that has the tree as its disk.

    ``kernel_package`` gives the files of a kernel's package for ``arch``; it is asked when the
    first machine starts.  The disk lies below ``work_folder`` and is gone when ``run`` returns.
    ``room_bytes`` is what commands may add to the tree; ``None``: three quarters of what is free
    there, at most 16 GiB.  See ``Executor`` for the rest; ``run`` also raises ``VMError`` when
    the machine does not come up, and ``ToolMissing`` without QEMU.
    """

    work_folder: Path
    arch: Arch
    kernel_package: Callable[[], FileTree]
    reporter: Reporter
    state_folder: Path | None = None
    accelerator: Accelerator | None = None
    room_bytes: int | None = None

    def run(
        self, tree: FileTree, job: SandboxJob, *, blobs: BlobStore, on_output: OnOutput
    ) -> StoredLayer:
        files = (*job.files, _RESOLVER) if job.network else job.files
        around = surround_on_disk(tree, files, fresh_tmp=job.fresh_tmp)
        with WorkFolder(self.work_folder) as folder, Guardian(folder.path):
            folder.remove_leftovers()
            disk = folder.path / "tree.ext4"
            write_disk(disk, around.tree, free_bytes=self._room_bytes(), blobs=blobs)
            with FileSource(disk) as source:
                before = look(source, excluded=around.excluded).seen
                if job.commands:
                    machine = self._start(folder.path, disk, network=job.network, blobs=blobs)
                    try:
                        _carry_out(job, machine, around.view, on_output)
                    finally:
                        machine.kill()
                contents = GatheredContents(source)
                after = look(source, excluded=around.excluded)
                members = layer_members(before, after, ignored=around.temporary, contents=contents)
                return store_layer(members, scratch=contents, blobs=blobs)

    def _start(
        self, folder: Path, disk: Path, *, network: bool, blobs: BlobStore
    ) -> RunningMachine:
        spec = machine_spec(
            folder,
            self.kernel_package(),
            arch=self.arch,
            disk=disk,
            network=network,
            memory_mib=_memory_mib(),
            blobs=blobs,
        )
        options = StartOptions(
            accelerator=self.accelerator, state_folder=self.state_folder, reporter=self.reporter
        )
        return start_machine(spec, options)

    def _room_bytes(self) -> int:
        if self.room_bytes is not None:
            return self.room_bytes
        return min(free_bytes(self.work_folder) * 3 // 4, _ROOM_MAX_BYTES)


def _carry_out(job: SandboxJob, machine: RunningMachine, view: View, on_output: OnOutput) -> None:
    guest = TreeGuest(machine)
    guest.prepare(view, hostname=job.hostname)
    guest.run(job, proc=view.proc, on_output=on_output)
    guest.seal()


def _memory_mib() -> int:
    """Half of what this machine can spare, within bounds; where that is unknown, the least."""
    spare_mib = spare_memory_bytes() >> 20
    return max(min(spare_mib // 2, _MEMORY_MAX_MIB), _MEMORY_MIN_MIB)
