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
    return is_usable(text)


def is_usable(registration: str) -> bool:
    """Whether an emulator so registered serves a guest's tree, in which it does not lie."""
    words = dict(line.partition(" ")[::2] for line in registration.splitlines())
    return "enabled" in words and "F" in words.get("flags:", "")  # F: the kernel holds it open
