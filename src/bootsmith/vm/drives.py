"""Making sure that an image is never written to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bootsmith.host.process import run
from bootsmith.vm.machine import DiskFormat, DiskMode, Drive


def with_overlays(drives: tuple[Drive, ...], folder: Path) -> tuple[Drive, ...]:
    """``drives`` as QEMU shall open them: those in mode ``cow`` as fresh overlays in ``folder``.

    Raises ``ToolMissing`` without qemu-img, ``CommandFailed`` when an image is not what its
    format says.
    """
    return tuple(
        _overlay(drive, folder / f"drive{index}.qcow2") if drive.mode is DiskMode.COW else drive
        for index, drive in enumerate(drives)
    )


def _overlay(drive: Drive, path: Path) -> Drive:
    image = drive.path.resolve()
    run(("qemu-img", "create", "-q", "-f", "qcow2", "-F", drive.format.value, "-b", image, path))
    return replace(drive, path=path, format=DiskFormat.QCOW2)
