"""What this machine offers to run guests faster than by emulation.

Only facts are collected here, within milliseconds and without starting anything; ``vm`` decides
what to make of them.  What cannot be known beforehand, that guests hang although every system
call succeeds, is noted once it was seen, until this machine boots anew.
"""

from __future__ import annotations

import fcntl
import grp
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from bootsmith.errors import CommandFailed, ConfigError, ToolMissing
from bootsmith.host.process import run
from bootsmith.host.publish import publish_file
from bootsmith.model.arch import Arch

_KVM = Path("/dev/kvm")
_KVM_GET_API_VERSION = 0xAE00  # linux/kvm.h: _IO(KVMIO, 0x00)
_KVM_CREATE_VM = 0xAE01  # _IO(KVMIO, 0x01)
_KVM_API_VERSION = 12
_HUNG_NOTE = "kvm-hangs"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccelerationFacts:
    """``kvm_problem`` and ``hvf_problem`` are ``None`` where the interface itself works.

    ``kvm_modules`` are the loaded modules beside ``kvm``, which tell what is behind the device;
    empty where they are built in.  ``hung_before`` is a note of an earlier try.
    """

    system: str
    arch: Arch | None
    kvm_problem: str | None
    kvm_modules: tuple[str, ...] = ()
    hvf_problem: str | None = "only macOS has it"
    hung_before: bool = False


def acceleration_facts(state_folder: Path | None = None) -> AccelerationFacts:
    """Look at this machine; ``state_folder`` is where notes of earlier tries lie."""
    return AccelerationFacts(
        system=sys.platform,
        arch=_host_arch(),
        kvm_problem=_kvm_problem(),
        kvm_modules=_kvm_modules(),
        hvf_problem=_hvf_problem(),
        hung_before=state_folder is not None and _hung_note(state_folder) == _this_boot(),
    )


def note_hang(state_folder: Path) -> Path:
    """Remember, until the next boot of this machine, that a guest hung under KVM.

    Returns the note's path: to try again, delete it.  Raises ``HostError``.
    """
    path = state_folder / _HUNG_NOTE
    with publish_file(path) as sink:
        sink.write(_this_boot().encode())
    return path


def _host_arch() -> Arch | None:
    try:
        return Arch.parse(platform.machine())
    except ConfigError:
        return None


def _kvm_problem() -> str | None:
    if not sys.platform.startswith("linux"):
        return "only Linux has it"
    try:
        device = os.open(_KVM, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return "there is no /dev/kvm"
    except PermissionError:
        return f"you may not open /dev/kvm ({_way_in(_KVM)})"
    except OSError as error:
        return f"/dev/kvm cannot be opened: {error.strerror}"
    try:
        version = fcntl.ioctl(device, _KVM_GET_API_VERSION, 0)
        if version != _KVM_API_VERSION:
            return f"/dev/kvm speaks version {version} of its interface, not {_KVM_API_VERSION}"
        os.close(fcntl.ioctl(device, _KVM_CREATE_VM, 0))
    except OSError as error:
        return f"/dev/kvm cannot create a machine: {error.strerror}"
    else:
        return None
    finally:
        os.close(device)


def _way_in(device: Path) -> str:
    """What would let this user open ``device``: its group, if that may, has a name."""
    found = device.stat()
    if found.st_mode & 0o060 == 0o060 and found.st_gid != 0:
        try:
            name = grp.getgrgid(found.st_gid).gr_name
        except KeyError:
            name = str(found.st_gid)
        return f"join its group: sudo usermod -aG {name} $USER, then log in again"
    return "it is root's alone"


def _kvm_modules() -> tuple[str, ...]:
    return tuple(sorted(path.name for path in Path("/sys/module").glob("kvm_*")))


def _hvf_problem() -> str | None:
    if sys.platform != "darwin":
        return "only macOS has it"
    try:
        answer = run(["sysctl", "-n", "kern.hv_support"], timeout_s=5).stdout.strip()
    except (ToolMissing, CommandFailed) as error:
        return f"sysctl kern.hv_support failed: {error}"
    return None if answer == b"1" else "this processor or macOS does not offer it"


def _hung_note(state_folder: Path) -> str:
    try:
        return (state_folder / _HUNG_NOTE).read_text("utf-8", "replace")
    except OSError:
        return ""


def _this_boot() -> str:
    """What changes whenever another kernel may behave otherwise."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        boot = "unknown"
    return f"{platform.release()} {boot}"
