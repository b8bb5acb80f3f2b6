"""Disks that change while their images do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bootsmith.errors import ArchiveError, VMError
from bootsmith.host.files import FileSource
from bootsmith.host.paths import real_path
from bootsmith.host.process import run
from bootsmith.image.qcow2 import read_header, require_self_contained
from bootsmith.vm.machine import DiskFormat, DiskMode, Drive


def with_overlays(drives: tuple[Drive, ...], folder: Path) -> tuple[Drive, ...]:
    """``drives`` as QEMU shall open them: those in mode ``cow`` as overlays in ``folder``.

    Raises ``ToolMissing`` without qemu-img, ``CommandFailed`` when an image is not what its
    format says, ``VMError`` when a disk shall grow that is not ``cow``, and for an image that would
    make QEMU open files it names itself.
    """
    for drive in drives:
        if drive.format is DiskFormat.QCOW2:
            _require_self_contained(drive.path)
    return tuple(
        _opened(drive, folder / f"drive{index}.qcow2") for index, drive in enumerate(drives)
    )


def _opened(drive: Drive, overlay: Path) -> Drive:
    if drive.mode is not DiskMode.COW:
        if drive.size_bytes is not None or drive.checkpoint is not None:
            raise VMError(
                f"a disk in mode {drive.mode.value} can neither grow nor begin with a checkpoint",
                hint="use the mode cow",
            )
        return drive
    image = real_path(drive.path)
    if drive.checkpoint is None:
        create = ("qemu-img", "create", "-q", "-f", "qcow2", "-F", drive.format.value)
        run((*create, "-b", image, overlay))
    else:
        from bootsmith.vm.checkpoint import copy_changes  # few machines begin with one

        copy_changes(drive.checkpoint, overlay, image=image, image_format=drive.format)
    if drive.size_bytes is not None:
        had_bytes = _disk_bytes(overlay)
        if drive.size_bytes < had_bytes:
            raise VMError(
                f"the disk has {had_bytes} bytes and cannot be made smaller ({drive.size_bytes})",
                hint="ask for a larger one, or for none",
            )
        run(("qemu-img", "resize", "-q", "-f", "qcow2", overlay, str(drive.size_bytes)))
    return replace(drive, path=overlay, format=DiskFormat.QCOW2, size_bytes=None, checkpoint=None)


def _disk_bytes(overlay: Path) -> int:
    """How large the guest sees the disk in a qcow2 file."""
    with FileSource(overlay) as source:
        return read_header(source).virtual_size_bytes


def _require_self_contained(image: Path) -> None:
    with FileSource(image) as source:
        try:
            require_self_contained(source)
        except ArchiveError as error:
            raise VMError(
                f"{image} is not used: {error}",
                hint="if you trust it, make one file of it: qemu-img convert -O qcow2 OLD NEW",
            ) from error
