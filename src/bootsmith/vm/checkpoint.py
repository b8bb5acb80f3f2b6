"""Checkpoints: what a machine has changed on its disk, and of which image.

A checkpoint is a qcow2 overlay (QEMU's docs/interop/qcow2.rst) whose backing file is not a path
but ``bootsmith-image:<build id>``.  So it stays right wherever image and checkpoint lie, and a
program that does not know better refuses it instead of reading it over the wrong image.
"""

from __future__ import annotations

import struct
from pathlib import Path

from bootsmith.errors import VMError
from bootsmith.host.files import FileSource, copy_sparse
from bootsmith.host.paths import real_path
from bootsmith.host.process import run
from bootsmith.host.temporary import RuntimeFolder
from bootsmith.vm.machine import DiskFormat

_SCHEME = "bootsmith-image:"
_MAGIC = b"QFI\xfb"
_BACKING_FILE = struct.Struct(">4sIQI")  # magic, version, backing_file_offset, …_size
_NAME_MAX_BYTES = 1023


def build_id_of(checkpoint: Path) -> str:
    """The build id of the image that ``checkpoint`` changes.

    Raises ``HostError`` when it cannot be read, ``VMError`` when it is no checkpoint.
    """
    with FileSource(checkpoint) as source:
        header = source.read_at(0, _BACKING_FILE.size)
        if len(header) == _BACKING_FILE.size:
            magic, _, offset, size = _BACKING_FILE.unpack(header)
            if magic == _MAGIC and size <= _NAME_MAX_BYTES:
                name = source.read_at(offset, size).decode("utf-8", "replace")
                if name.startswith(_SCHEME):
                    return name.removeprefix(_SCHEME)
    raise VMError(
        f"{checkpoint} is no checkpoint of bootsmith's",
        hint="make one with VM.checkpoint() or `bootsmith snapshot`",
    )


def save_changes(
    overlay: Path, target: Path, *, image: Path, image_format: DiskFormat, build_id: str
) -> None:
    """Write the changes in ``overlay``, which no machine uses any more, to ``target``.

    Appears whole or not at all.  Raises ``CommandFailed`` when qemu-img cannot, ``HostError``
    when the folder cannot be written.
    """
    with RuntimeFolder(prefix=".bootsmith-checkpoint-", parent=target.absolute().parent) as folder:
        made = folder.path / "checkpoint"
        based = ("-B", real_path(image), "-F", image_format.value)
        run(("qemu-img", "convert", "-f", "qcow2", "-O", "qcow2", *based, overlay, made))
        _rebase(made, f"{_SCHEME}{build_id}", image_format)
        folder.keep(made, target)


def copy_changes(checkpoint: Path, overlay: Path, *, image: Path, image_format: DiskFormat) -> None:
    """Make ``overlay`` begin with the changes in ``checkpoint``, over the image as it lies now.

    Raises ``VMError`` when it is no checkpoint, ``HostError`` when there is no room.
    """
    build_id_of(checkpoint)
    copy_sparse(checkpoint, overlay)
    _rebase(overlay, str(image), image_format)


def _rebase(overlay: Path, backing: str, backing_format: DiskFormat) -> None:
    run(
        (
            *("qemu-img", "rebase", "-q", "-u", "-f", "qcow2"),
            *("-F", backing_format.value, "-b", backing, overlay),
        )
    )
