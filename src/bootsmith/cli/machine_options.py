"""The options of every command that boots an image."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import get_args

import click

from bootsmith.sdk.vm_options import (
    LEAST_MEMORY_MIB,
    MOST_CPUS,
    Acceleration,
    RootfsMode,
    VMOptions,
)
from bootsmith.vm.machine import Share

_SIZE = re.compile(r"(\d+)([KMGT])(?:i?B)?", re.IGNORECASE)
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise click.BadParameter(f"{text!r} is no number of seconds above 0")
    return seconds


def _size_bytes(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no size: write it as 800M or 4G")
    return int(found[1]) * _UNITS[found[2].upper()]


def _cpus(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= MOST_CPUS:
        raise click.BadParameter(f"{text!r} is no number of processors from 1 to {MOST_CPUS}")
    return int(text)


def _memory_mib(text: str) -> int:
    """A number alone counts MiB."""
    size_mib = int(text) if re.fullmatch(r"[0-9]+", text) else _size_bytes(text) >> 20
    if size_mib < LEAST_MEMORY_MIB:
        raise click.BadParameter(f"{text!r} is less than {LEAST_MEMORY_MIB} MiB")
    return size_mib


def _mount(text: str) -> Share:
    """The guest's path is what begins with the last ``:/``."""
    host, colon, place = text.rpartition(":/")
    if not (host and colon):
        raise click.BadParameter(f"{text!r} is not HOST:GUEST, as in ./src:/work")
    guest, *access = place.split(":")
    if access not in ([], ["rw"], ["ro"]):
        raise click.BadParameter(f"what follows the guest's folder in {text!r} can only be :ro")
    return Share(host_folder=Path(host), guest_folder=f"/{guest}", readonly=access == ["ro"])


_OPTIONS = (
    click.option(
        "--mount", "-m", "mounts", multiple=True, type=_mount, metavar="HOST:GUEST[:ro]",
        help="Show a folder of this machine in the guest.",
    ),
    click.option("--cpus", type=_cpus, metavar="N",
        help=f"Processors, 1 to {MOST_CPUS}; by default 2, and 1 under emulation."),
    click.option(
        "--memory", "memory_mib", type=_memory_mib, default="1024M", show_default=True,
        metavar="SIZE", help="Memory, as in 512M or 2G; a number alone counts MiB.",
    ),
    click.option("--network/--no-network", default=True,
        help="Let the guest reach out; on by default."),
    click.option(
        "--accel", "acceleration", type=click.Choice(get_args(Acceleration)), default="auto",
        show_default=True,
        help="Who executes the guest's instructions; auto decides from evidence.",
    ),
    click.option(
        "--rootfs-mode", type=click.Choice(get_args(RootfsMode)),
        help="What becomes of writes to the root file system; the image itself is never written.",
    ),
    click.option(
        "--rootfs-size", "rootfs_size_bytes", type=_size_bytes, metavar="SIZE",
        help="Make the root file system this large, as in 4G.",
    ),
    click.option("--append", "boot_args", multiple=True, metavar="WORDS",
        help="More kernel arguments."),
    click.option("--boot-timeout", "boot_timeout_s", type=parse_seconds, metavar="SECONDS",
        help="How long the boot may take; by default 30, and 120 under emulation."),
    click.option(
        "--console-log", type=click.Path(path_type=Path, dir_okay=False),
        help="Keep the console here.",
    ),
)  # fmt: skip


def machine_options(command: Callable[..., int]) -> Callable[..., int]:
    """Give ``command`` an option for each field of ``VMOptions``; it receives one ``options``."""

    @functools.wraps(command)
    def with_options(**given: object) -> int:
        said = {field.name: given.pop(field.name) for field in fields(VMOptions)}
        return command(options=VMOptions(**said), **given)  # type: ignore[arg-type]

    decorated: Callable[..., int] = with_options
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated
