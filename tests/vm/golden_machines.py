"""One machine of every kind, with QEMU's command line for it."""

from __future__ import annotations

from pathlib import Path

from bootsmith.model.arch import Arch
from bootsmith.vm.boot_args import kernel_command_line
from bootsmith.vm.machine import (
    AGENT_PORT,
    FILES_PORT,
    INGRESS_PORT,
    SSH_PORT,
    Accelerator,
    DiskFormat,
    DiskMode,
    Drive,
    MachineSpec,
    MachineType,
    Network,
)
from bootsmith.vm.qemu_argv import Wiring, qemu_argv

_KINDS = (
    (Arch.X86_64, MachineType.Q35, Accelerator.TCG),
    (Arch.X86_64, MachineType.Q35, Accelerator.KVM),
    (Arch.X86_64, MachineType.Q35, Accelerator.HVF),
    (Arch.X86_64, MachineType.MICROVM, Accelerator.TCG),
    (Arch.X86_64, MachineType.MICROVM, Accelerator.KVM),
    (Arch.AARCH64, MachineType.VIRT, Accelerator.TCG),
    (Arch.AARCH64, MachineType.VIRT, Accelerator.KVM),
    (Arch.AARCH64, MachineType.VIRT, Accelerator.HVF),
)
_WIRING = Wiring(
    console=10,
    qmp=11,
    ports={AGENT_PORT: 12, FILES_PORT: 13, SSH_PORT: 14, INGRESS_PORT: 15},
    seccomp=True,
)


def machine(
    arch: Arch = Arch.X86_64,
    kind: MachineType = MachineType.Q35,
    accelerator: Accelerator = Accelerator.TCG,
) -> MachineSpec:
    """A machine with a network and one copy-on-write disk."""
    return MachineSpec(
        arch=arch,
        machine=kind,
        accelerator=accelerator,
        kernel=Path("/image/vmlinuz-virt"),
        initramfs=Path("/image/initramfs.cpio.lz4"),
        cmdline=kernel_command_line(arch, network=Network.USER),
        drives=(Drive(path=Path("/run/drive0.qcow2"), format=DiskFormat.QCOW2),),
        network=Network.USER,
    )


def everything() -> MachineSpec:
    """A machine with all that can be asked for, and names that need care."""
    image = Path("/image, with a comma/rootfs.ext4")
    return MachineSpec(
        arch=Arch.X86_64,
        machine=MachineType.Q35,
        accelerator=Accelerator.TCG,
        kernel=Path("/image, with a comma/vmlinuz-virt"),
        cmdline=kernel_command_line(Arch.X86_64, writable_root=False, extra=("init=/init", "a,b")),
        cpus=4,
        memory_mib=4096,
        drives=tuple(Drive(path=image, mode=mode) for mode in DiskMode),
        network=Network.USER,
        ports=tuple(_WIRING.ports),
    )


def _text(spec: MachineSpec, wiring: Wiring = _WIRING) -> str:
    """One option a line, as a person would read the command."""
    words = qemu_argv(spec, wiring)
    lines = [words[0]]
    for word in words[1:]:
        if word.startswith("-"):
            lines.append(word)
        else:
            lines[-1] += f" {word}"
    return "\n".join(lines) + "\n"


GOLDEN = {
    **{
        f"{arch}-{kind.value}-{acc}.txt": _text(machine(arch, kind, acc))
        for arch, kind, acc in _KINDS
    },
    "everything.txt": _text(everything()),
    "console-log.txt": _text(
        machine(),
        Wiring(
            console=4, qmp=5, ports={AGENT_PORT: 6, INGRESS_PORT: 7}, console_log=Path("/tmp/a,b")
        ),
    ),
}
