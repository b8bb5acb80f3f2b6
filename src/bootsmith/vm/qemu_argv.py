"""A machine as a QEMU command line.

``-nodefaults`` and ``-no-user-config`` make the machine what the specification says and nothing
more; every stream is an inherited socket, so that nothing is left in the file system.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bootsmith.model.arch import Arch
from bootsmith.vm.machine import (
    Accelerator,
    DiskMode,
    Drive,
    MachineSpec,
    MachineType,
    Network,
)

# Gondolin's address, so that a guest sees the same card under both hosts.
MAC_ADDRESS = "02:00:00:00:00:01"

_TRANSLATION_CACHE_MIB = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """The descriptors QEMU inherits: its ends of the console, of QMP and of each port.

    ``console_log`` is a file into which QEMU copies all that the console prints.
    """

    console: int
    qmp: int
    ports: Mapping[str, int]
    console_log: Path | None = None
    seccomp: bool = False


def qemu_argv(spec: MachineSpec, wiring: Wiring) -> tuple[str, ...]:
    """The command that starts ``spec``.  Drives are taken as they are: overlays exist already."""
    return tuple(_words(spec, wiring))


def _words(spec: MachineSpec, wiring: Wiring) -> Iterator[str]:
    bus = "pci" if spec.machine.has_pci else "device"
    yield spec.arch.qemu_system
    yield from ("-nodefaults", "-no-user-config", "-no-reboot")
    # Not -nographic: it makes the firmware print its banner on the serial line, which costs
    # time and would be taken for the guest's first sign of life.
    yield from ("-display", "none")
    yield from ("-machine", _machine(spec))
    yield from ("-accel", _accelerator(spec.accelerator))
    yield from ("-cpu", _cpu(spec))
    yield from ("-smp", str(spec.cpus or spec.accelerator.default_cpus))
    yield from ("-m", f"{spec.memory_mib}M")
    yield from ("-kernel", str(spec.kernel))
    if spec.initramfs is not None:
        yield from ("-initrd", str(spec.initramfs))
    yield from ("-append", spec.cmdline)
    yield from _console(wiring)
    yield from ("-chardev", _option("socket", id="qmp", fd=wiring.qmp))
    yield from ("-mon", _option("chardev=qmp", mode="control"))
    yield from ("-object", _option("rng-random", id="rng", filename="/dev/urandom"))
    yield from ("-device", _option(f"virtio-rng-{bus}", rng="rng"))
    for index, drive in enumerate(spec.drives):
        yield from _drive(drive, f"drive{index}", bus)
    yield from _network(spec, bus)
    yield from _ports(spec, wiring, bus)
    if wiring.seccomp:
        yield from ("-sandbox", _option("on", spawn="deny", elevateprivileges="deny"))


def _machine(spec: MachineSpec) -> str:
    match spec.machine:
        case MachineType.MICROVM:
            # TCG has no paravirtual clock: the kernel then needs the old timer and its
            # interrupt controller to calibrate anything.
            legacy = "on" if spec.accelerator is Accelerator.TCG else "off"
            return _option(
                "microvm", **{"isa-serial": "on", "rtc": "on", "pit": legacy, "pic": legacy}
            )
        case MachineType.VIRT:
            return f"virt,gic-version={_gic(spec.accelerator)}"
        case MachineType.Q35:
            return _option("q35", usb="off", smbus="off", sata="off", smm="off")


def _gic(accelerator: Accelerator) -> str:
    return "host" if accelerator is Accelerator.KVM else "max"


def _accelerator(accelerator: Accelerator) -> str:
    if accelerator is Accelerator.TCG:
        return f"tcg,thread=multi,tb-size={_TRANSLATION_CACHE_MIB}"
    return str(accelerator)


def _cpu(spec: MachineSpec) -> str:
    if spec.accelerator is not Accelerator.TCG:
        return "host"
    if spec.arch is Arch.AARCH64:
        # Emulating pointer authentication's real cipher doubles the boot time.
        return "max,pauth-impdef=on"
    # "Fast" string instructions are emulated byte by byte; a kernel that is told of none
    # copies and clears memory by words, three times as fast.
    return "max,erms=off,fsrm=off"


def _console(wiring: Wiring) -> Iterator[str]:
    log = {} if wiring.console_log is None else {"logfile": wiring.console_log, "logappend": "off"}
    yield from ("-chardev", _option("socket", id="console", fd=wiring.console, **log))
    yield from ("-serial", "chardev:console")


def _drive(drive: Drive, name: str, bus: str) -> Iterator[str]:
    options: dict[str, object] = {
        "id": name,
        "if": "none",
        "file": drive.path,
        "format": drive.format.value,
        "discard": "unmap",
    }
    match drive.mode:
        case DiskMode.READONLY:
            options["readonly"] = "on"
        case DiskMode.MEMORY:
            options |= {"snapshot": "on"}
        case DiskMode.COW:
            options["cache"] = "writeback"
        case DiskMode.WRITABLE:
            options["cache"] = "writeback"
    if drive.mode is not DiskMode.READONLY:
        # When this machine's disk is full, QEMU would halt the guest without a word; a guest
        # that is told can say so.
        options["werror"] = "report"
    yield from ("-drive", _option(**options))
    yield from ("-device", _option(f"virtio-blk-{bus}", drive=name))


def _network(spec: MachineSpec, bus: str) -> Iterator[str]:
    if spec.network is Network.NONE:
        return
    yield from ("-netdev", _option("user", id="net0"))
    # An empty boot ROM: the firmware must not look for a network to boot from.
    rom = {"romfile": ""} if spec.machine.has_pci else {}
    yield from ("-device", _option(f"virtio-net-{bus}", netdev="net0", mac=MAC_ADDRESS, **rom))


def _ports(spec: MachineSpec, wiring: Wiring, bus: str) -> Iterator[str]:
    if not spec.ports:
        return
    # Each possible port has two queues that QEMU polls whenever it does anything; the first
    # port is for a console.
    most = 1 + len(spec.ports)
    yield from ("-device", _option(f"virtio-serial-{bus}", id="ports", max_ports=most))
    for index, name in enumerate(spec.ports):
        yield from ("-chardev", _option("socket", id=f"port{index}", fd=wiring.ports[name]))
        yield from (
            "-device",
            _option("virtserialport", bus="ports.0", chardev=f"port{index}", name=name),
        )


def _option(*head: str, **settings: object) -> str:
    """QEMU's ``head,key=value`` form, in which a comma inside a value is doubled."""
    pairs = (f"{key}={str(value).replace(',', ',,')}" for key, value in settings.items())
    return ",".join((*head, *pairs))
