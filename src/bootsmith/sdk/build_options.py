"""What a caller may say of a build beside its config."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what builds is loaded by builds, and by nobody who only says how
    from bootsmith.pipeline.request import KrunMode
    from bootsmith.sandbox.executor import ExecutorName


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """What is said beside the config.

    ``preset`` names the config when none is given.  ``arch`` and ``mirror`` take precedence
    over the config's, ``include`` adds packages to it.  ``lock_path`` builds from that lock.
    ``build_env`` names variables of this process that the build's commands get, too.
    ``executor`` is what runs package scripts and commands: ``namespace``, ``vm``, or what this
    machine can have (``auto``).  ``krun`` decides on the kernel that libkrun boots, when the
    inputs are chosen; ``auto`` goes without where it cannot be had.  The image is published only
    if each of ``tests`` ends with status 0 in it, booted.
    """

    preset: str | None = None
    arch: str | None = None
    include: tuple[str, ...] = ()
    mirror: str | None = None
    lock_path: Path | None = None
    offline: bool = False
    allow_unsigned: bool = False
    strict: bool = False
    build_env: tuple[str, ...] = ()
    executor: ExecutorName = "auto"
    krun: KrunMode = "auto"
    tests: tuple[str, ...] = ()
    cache_dir: Path | None = None
