"""The machine that a tree's commands run in: its kernel, its initramfs, its disk.

The initramfs is that of our images, but with ``bootsmith.tree`` on the kernel's command line its
program starts nothing of the tree: it serves the host (``tree_guest``).
"""

from __future__ import annotations

from pathlib import Path

from bootsmith.host.files import FileSink, read_whole
from bootsmith.host.guest_files import agent_binary
from bootsmith.image.boot_modules import initramfs_modules
from bootsmith.image.initramfs import initramfs_tree, write_initramfs
from bootsmith.image.kernel_modules import KernelModules
from bootsmith.image.kernel_package import kernel_of
from bootsmith.model.arch import Arch
from bootsmith.model.guest_path import guest_path
from bootsmith.model.streams import BlobSource
from bootsmith.tree.contents import write_content
from bootsmith.tree.entry import Directory, InlineBytes, Metadata, Symlink
from bootsmith.tree.file_tree import FileTree, TreeBuilder
from bootsmith.vm.boot_args import NAMESERVER_ADDRESS, kernel_command_line
from bootsmith.vm.machine import (
    AGENT_PORT,
    Accelerator,
    DiskMode,
    Drive,
    MachineSpec,
    Network,
    default_machine,
)

NAME_SERVERS = f"nameserver {NAMESERVER_ADDRESS}\n".encode()
"""What a command with network finds in ``/etc/resolv.conf``."""

_LINKS = ("bin/bootsmith-guest", "bin/sandboxd")  # the names by which the program is called
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
