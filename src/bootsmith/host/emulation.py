"""Whether this machine's kernel executes programs of another architecture."""

from __future__ import annotations

from pathlib import Path

from bootsmith.host.environment import host_arch, is_linux
from bootsmith.model.arch import Arch

_REGISTERED = Path("/proc/sys/fs/binfmt_misc")  # Documentation/admin-guide/binfmt-misc.rst


def executes(arch: Arch) -> bool:
    """Whether a program for ``arch`` runs here, also where its emulator is not to be seen."""
    if not is_linux():
        return False
    if host_arch() is arch:
        return True
    try:
        text = (_REGISTERED / f"qemu-{arch.value}").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    lines = text.splitlines()
    # F: the kernel holds the emulator open, so that it need not be in the guest's tree.
    flags = next((line.removeprefix("flags:") for line in lines if line.startswith("flags:")), "")
    return "enabled" in lines and "F" in flags
