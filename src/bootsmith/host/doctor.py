"""What this machine can do, as values; ``bootsmith doctor`` prints them.

Nothing here raises because something is missing: that is what is to be told.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bootsmith.errors import CommandFailed
from bootsmith.host.acceleration import AccelerationFacts, acceleration_facts
from bootsmith.host.namespaces import NamespaceSupport, namespace_support
from bootsmith.host.process import run
from bootsmith.host.tools import find_tool, install_line
from bootsmith.model.arch import Arch

# Program: what bootsmith needs it for.
_TOOLS = {
    **{arch.qemu_system: f"to boot {arch} images" for arch in Arch},
    "qemu-img": "to keep an image unchanged while its machine writes",
    "newuidmap": "to build as an ordinary user",
    "newgidmap": "to build as an ordinary user",
}
_VERSION = re.compile(r"\d+(?:\.\d+)+")
_VERSION_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFacts:
    """A program; ``path`` is ``None`` when it is missing, and then ``install`` gets it.

    ``version`` is ``None`` where the program does not tell.
    """

    name: str
    purpose: str
    path: Path | None
    version: str | None
    install: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFacts:
    """The disk under the nearest existing folder at or above ``folder``."""

    folder: Path
    is_writable: bool
    free_bytes: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFacts:
    """Everything at once.  ``arch`` is ``None`` on a processor there are no guests for."""

    system: str
    arch: Arch | None
    python: str
    cpus: int
    memory_bytes: int | None
    acceleration: AccelerationFacts
    namespaces: NamespaceSupport
    tools: tuple[ToolFacts, ...]
    disk: DiskFacts


def machine_facts(cache_folder: Path, state_folder: Path | None = None) -> MachineFacts:
    """Look at this machine; takes well below a second."""
    acceleration = acceleration_facts(state_folder)
    with ThreadPoolExecutor(len(_TOOLS)) as pool:
        tools = tuple(pool.map(_tool, _TOOLS))
    return MachineFacts(
        system=f"{platform.system()} {platform.release()}",
        arch=acceleration.arch,
        python=platform.python_version(),
        cpus=len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1,
        memory_bytes=_memory_bytes(),
        acceleration=acceleration,
        namespaces=namespace_support(),
        tools=tools,
        disk=_disk(cache_folder),
    )


def _tool(name: str) -> ToolFacts:
    path = find_tool(name)
    return ToolFacts(
        name=name,
        purpose=_TOOLS[name],
        path=path,
        version=_version(path) if path is not None and name.startswith("qemu") else None,
        install=install_line(name),
    )


def _version(path: Path) -> str | None:
    try:
        said = run([path, "--version"], timeout_s=_VERSION_TIMEOUT_S).stdout
    except CommandFailed:
        return None
    found = _VERSION.search(said.decode("utf-8", "replace"))
    return found[0] if found else None


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def _disk(folder: Path) -> DiskFacts:
    existing = folder.absolute()
    while not existing.is_dir():
        existing = existing.parent
    usage = shutil.disk_usage(existing)
    return DiskFacts(
        folder=folder,
        is_writable=os.access(existing, os.W_OK | os.X_OK),
        free_bytes=usage.free,
        size_bytes=usage.total,
    )
