"""What one build is to make, as opposed to what it works with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from bootsmith.config.build_config import BuildConfig
from bootsmith.model.arch import Arch
from bootsmith.plan.lock import Lock

KrunMode: TypeAlias = Literal["require", "auto", "off"]
"""Whether an image gets what libkrun boots: or the build fails; if it can be had; never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """``lock`` set: these inputs and no others.  ``source_date_epoch`` in seconds since 1970.

    ``elsewhere`` are folders beside ``output`` that may already hold the finished image.
    """

    config: BuildConfig
    arch: Arch
    output: Path
    elsewhere: tuple[Path, ...] = ()
    lock: Lock | None = None
    source_date_epoch: int | None = None
    krun: KrunMode = "auto"
