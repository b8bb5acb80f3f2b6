"""Finding other people's programs, and saying how to install the ones that are missing."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from bootsmith.errors import ToolMissing

_APT = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-img": "qemu-utils",
    "newuidmap": "uidmap",
    "newgidmap": "uidmap",
    "gpgv": "gpgv",
    "depmod": "kmod",
    "modprobe": "kmod",
}
_BREW = {
    "qemu-system-x86_64": "qemu",
    "qemu-system-aarch64": "qemu",
    "qemu-img": "qemu",
    "gpgv": "gnupg",
}

# An ordinary user's PATH often lacks the folders where system programs live.
_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin", "/opt/homebrew/bin")


def find_tool(name: str) -> Path | None:
    """Where the program ``name`` is, or ``None``."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_SYSTEM_FOLDERS))
    found = shutil.which(name, path=path)
    return Path(found) if found else None


def require_tool(name: str) -> Path:
    """Where the program ``name`` is.  Raises ``ToolMissing`` with the line that installs it."""
    found = find_tool(name)
    if found is None:
        raise ToolMissing(f"{name} is not installed", tool=name, install=install_line(name))
    return found


def install_line(name: str) -> str:
    """The command that installs ``name`` on this kind of machine."""
    if sys.platform == "darwin":
        return f"brew install {_BREW.get(name, name)}"
    if find_tool("apt-get"):
        return f"sudo apt-get install {_APT.get(name, name)}"
    if find_tool("dnf"):
        return f"sudo dnf install {name}"
    if find_tool("apk"):
        return f"sudo apk add {name}"
    return f"install {name} with this system's package manager"
