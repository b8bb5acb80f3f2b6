"""A machine as a value: what to start, before it is known how."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from bootsmith.model.arch import Arch

# Ports of the guest agent (CONTRACTS §3).
AGENT_PORT = "virtio-port"
FILES_PORT = "virtio-fs"
SSH_PORT = "virtio-ssh"
INGRESS_PORT = "virtio-ingress"


class Accelerator(Enum):
    """Who executes the guest's instructions."""

    KVM = "kvm"
    HVF = "hvf"
    TCG = "tcg"

    @property
    def default_cpus(self) -> int:
        """Emulated, a second processor costs the boot more than it gives: 15 % of the host's time
        when both are idle, and a wait at every hand-over when the host is busy."""
        return 1 if self is Accelerator.TCG else 2

    def __str__(self) -> str:
        return self.value


class MachineType(Enum):
    """The board.  ``virt`` is aarch64's; the others are x86_64's."""

    Q35 = "q35"
    MICROVM = "microvm"
    VIRT = "virt"

    @property
    def has_pci(self) -> bool:
        """Whether virtio devices sit on PCI; without, they are memory-mapped."""
        return self is not MachineType.MICROVM


class DiskFormat(Enum):
    RAW = "raw"
    QCOW2 = "qcow2"

    @classmethod
    def of(cls, path: Path) -> DiskFormat:
        """What the extension says (CONTRACTS §1)."""
        return cls.QCOW2 if path.suffix == ".qcow2" else cls.RAW


class DiskMode(Enum):
    """What becomes of the guest's writes."""

    READONLY = "readonly"  # refused
    MEMORY = "memory"  # kept in an anonymous temporary file until the machine ends
    COW = "cow"  # kept in a qcow2 overlay beside the untouched image
    WRITABLE = "writable"  # written to the image itself


class Network(Enum):
    NONE = "none"
    USER = "user"  # QEMU's own address translation; needs no privilege


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """A virtio-blk disk.  ``format`` is that of the file at ``path``.

    In mode ``cow`` the disk may be made larger than the image, up to ``size_bytes``, and may
    begin with the changes that ``checkpoint`` holds.
    """

    path: Path
    format: DiskFormat = DiskFormat.RAW
    mode: DiskMode = DiskMode.COW
    size_bytes: int | None = None
    checkpoint: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A folder of this machine that the guest sees at ``guest_folder``, an absolute path."""

    host_folder: str | Path
    guest_folder: str
    readonly: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSpec:
    """Everything that decides what machine the guest finds itself in.

    Drives appear as ``/dev/vda``, ``/dev/vdb`` … in their order; ``ports`` names the
    virtio-serial ports, to which ``shares`` add theirs.  ``cpus`` ``None``: as many as suit the
    accelerator.
    """

    arch: Arch
    kernel: Path
    initramfs: Path | None = None
    cmdline: str = ""
    machine: MachineType
    accelerator: Accelerator
    cpus: int | None = None
    memory_mib: int = 1024
    drives: tuple[Drive, ...] = ()
    network: Network = Network.NONE
    shares: tuple[Share, ...] = ()
    ports: tuple[str, ...] = (AGENT_PORT, INGRESS_PORT)


def default_machine(arch: Arch) -> MachineType:
    """The board on which ``arch`` boots soonest and everywhere."""
    return MachineType.VIRT if arch is Arch.AARCH64 else MachineType.Q35
