"""The machine that a tree's commands run in: its kernel, its initramfs, and how it is asked.

The initramfs is that of our images, but with `bootsmith.tree` on the kernel's command line its
program starts nothing of the tree: it runs the agent, which runs the programs named here
(guest/src/tree).
"""

from __future__ import annotations

import os
from pathlib import Path

from bootsmith.errors import AgentError, HostError, StepFailed, VMError
from bootsmith.host.clock import Deadline
from bootsmith.host.files import FileSink, read_whole
from bootsmith.host.guest_files import agent_binary
from bootsmith.host.sandbox.mounts import View
from bootsmith.image.boot_modules import initramfs_modules
from bootsmith.image.initramfs import initramfs_tree, write_initramfs
from bootsmith.image.kernel_modules import KernelModules
from bootsmith.image.kernel_package import kernel_of
from bootsmith.model.arch import Arch
from bootsmith.model.guest_command import GuestCommand
from bootsmith.model.guest_path import guest_path
from bootsmith.model.streams import BlobSource
from bootsmith.sandbox.executor import OnOutput, SandboxJob
from bootsmith.sandbox.failures import cannot_start, failed, timed_out
from bootsmith.sandbox.output import Lines
from bootsmith.tree.contents import write_content
from bootsmith.tree.entry import Directory, InlineBytes, Metadata, Symlink
from bootsmith.tree.file_tree import FileTree, TreeBuilder
from bootsmith.vm.boot_args import NAMESERVER_ADDRESS, kernel_command_line
from bootsmith.vm.execution import Command, Stream
from bootsmith.vm.machine import (
    AGENT_PORT,
    Accelerator,
    DiskMode,
    Drive,
    MachineSpec,
    Network,
    default_machine,
)
from bootsmith.vm.running import RunningMachine

NAME_SERVERS = f"nameserver {NAMESERVER_ADDRESS}\n".encode()
"""What a command with network finds in ``/etc/resolv.conf``."""

_PROGRAM = "/bin/bootsmith-guest"
_LINKS = ("bin/bootsmith-guest", "bin/sandboxd")
_PREPARE_TIMEOUT_S = 60.0
_SEAL_TIMEOUT_S = 900.0  # a full disk is written first
# Nobody needs the disk after a power failure, so that nothing waits for it.
_ROOT_FLAGS = "barrier=0,noauto_da_alloc"


def machine_spec(
    folder: Path,
    package: FileTree,
    *,
    arch: Arch,
    disk: Path,
    network: bool,
    memory_mib: int,
    blobs: BlobSource,
) -> MachineSpec:
    """The machine with the tree on ``disk``; the kernel of ``package`` is put into ``folder``.

    Raises ``ImageError`` when the kernel cannot drive a virtual machine's devices.
    """
    modules = KernelModules(package, blobs=blobs)
    kernel, initramfs = folder / "kernel", folder / "initramfs"
    with FileSink(kernel) as sink:
        write_content(kernel_of(package, release=modules.release), blobs=blobs, sink=sink)
    with FileSink(initramfs) as sink:
        write_initramfs(_initramfs(modules, arch), blobs=blobs, sink=sink)
    connection = Network.USER if network else Network.NONE
    return MachineSpec(
        arch=arch,
        kernel=kernel,
        initramfs=initramfs,
        cmdline=kernel_command_line(
            arch,
            network=connection,
            extra=("rootfstype=ext4", f"rootflags={_ROOT_FLAGS}", "bootsmith.tree"),
        ),
        machine=default_machine(arch),
        accelerator=Accelerator.TCG,  # start_machine decides
        memory_mib=memory_mib,
        drives=(Drive(path=disk, mode=DiskMode.WRITABLE),),
        network=connection,
        ports=(AGENT_PORT,),
    )


def _initramfs(modules: KernelModules, arch: Arch) -> FileTree:
    agent = InlineBytes(read_whole(agent_binary(arch)))
    loaded = initramfs_modules(modules)
    builder = TreeBuilder(initramfs_tree(init=agent, modules=loaded, release=modules.release))
    for folder in ("bin", "etc"):
        builder.put(guest_path(folder), Directory(Metadata(0o755)))
    for link in _LINKS:
        builder.put(guest_path(link), Symlink(Metadata(0o777), b"/init"))
    return builder.build()


class TreeMachine:
    """Has a running machine do what is to be done with its tree."""

    def __init__(self, machine: RunningMachine) -> None:
        self._machine = machine

    def prepare(self, view: View, *, hostname: str) -> None:
        """Make the surroundings of the commands.  Raises ``VMError``."""
        places = (os.fsdecode(view.dev), os.fsdecode(view.sys))
        self._do(("prepare", hostname, *places), timeout_s=_PREPARE_TIMEOUT_S)

    def run(self, job: SandboxJob, *, proc: bytes, on_output: OnOutput) -> None:
        """Run the commands of ``job``, the first that fails the last.

        Raises ``StepFailed``, and ``VMError`` when the machine ends under them.
        """
        deadline = Deadline.after(job.timeout_s)
        for command in job.commands:
            lines = Lines(command.label, on_output)
            try:
                self._run_one(command, proc, lines, deadline)
            except AgentError as error:
                lines.end()
                raise VMError(
                    f"the machine failed while {command.label} ran: {error}"
                    f"{self._machine.last_words()}",
                    hint="it may have run out of memory",
                ) from error
            except VMError:
                lines.end()
                if job.timeout_s is None or not deadline.passed:
                    raise
                raise timed_out(command, job.timeout_s, tail=lines.tail) from None

    def seal(self) -> None:
        """Have all that was written on the disk, for good.  Raises ``VMError``."""
        self._do(("seal",), timeout_s=_SEAL_TIMEOUT_S)

    def _run_one(
        self, command: GuestCommand, proc: bytes, lines: Lines, deadline: Deadline
    ) -> None:
        complaint = bytearray()
        environment = [f"{name}={value}" for name, value in command.env.items()]
        where = (os.fsdecode(proc), command.cwd)
        exit_code = self._exec(
            ("enter", *where, str(len(environment)), *environment, *command.argv),
            lines=lines,
            complaint=complaint,
            timeout_s=deadline.remaining_s(),
        )
        lines.end()
        if complaint:
            raise _refusal(command, complaint.decode("utf-8", "replace"))
        if exit_code:
            raise failed(command, exit_code, tail=lines.tail)

    def _exec(
        self,
        words: tuple[str, ...],
        *,
        lines: Lines,
        complaint: bytearray,
        timeout_s: float | None,
    ) -> int:
        agent = self._machine.agent
        assert agent is not None, "the machine has the agent's port"
        running = agent.start(Command.of((_PROGRAM, *words)))
        for stream, data in running.output(timeout_s=timeout_s):
            if stream is Stream.STDOUT:
                lines.add(data)
            else:
                complaint += data
        assert running.result is not None
        return running.result.exit_code

    def _do(self, words: tuple[str, ...], *, timeout_s: float) -> None:
        complaint = bytearray()
        lines = Lines("", lambda *_: None)
        code = self._exec(words, lines=lines, complaint=complaint, timeout_s=timeout_s)
        if code:
            said = complaint.decode("utf-8", "replace").strip()
            raise VMError(f"the guest could not {words[0]} the tree: {said}")


def _refusal(command: GuestCommand, complaint: str) -> StepFailed | HostError | VMError:
    """What ``enter`` said because it could not run the command: a stage, an errno, its text."""
    stage, _, rest = complaint.partition(" ")
    number, _, reason = rest.partition(" ")
    if stage != "start" or not number.isdecimal():
        return VMError(f"the guest could not enter the tree: {complaint}")
    return cannot_start(
        command,
        int(number),
        reason,
        hint="see whether it was copied or downloaded for the image's architecture",
    )
