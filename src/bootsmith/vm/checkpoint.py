"""Checkpoints: what a machine has changed on its disk, and of which image.

A checkpoint is a qcow2 overlay (QEMU's docs/interop/qcow2.rst) whose backing file is not a path
but ``bootsmith-image:<build id>``.  So it stays right wherever image and checkpoint lie, and a
program that does not know better refuses it instead of reading it over the wrong image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootsmith.errors import ArchiveError, HostError, VMError
from bootsmith.host.disk_use import file_use
from bootsmith.host.files import FileSource, copy_sparse, free_bytes
from bootsmith.host.paths import is_folder, real_path
from bootsmith.host.process import run
from bootsmith.host.temporary import RuntimeFolder
from bootsmith.image.qcow2 import read_header
from bootsmith.vm.machine import DiskFormat

_SCHEME = "bootsmith-image:"
_BUILD_ID = re.compile(r"[0-9a-f-]{36}")


def build_id_of(checkpoint: Path) -> str:
    """The build id of the image that ``checkpoint`` changes.

    Raises ``HostError`` when it cannot be read, ``VMError`` when it is no checkpoint, or one that
    would make QEMU open another file than that image.
    """
    why = "it names no image"
    with FileSource(checkpoint) as source:
        try:
            name = read_header(source).backing or ""
        except ArchiveError as error:
            name, why = "", str(error)
    build_id = name.removeprefix(_SCHEME)
    if build_id != name and _BUILD_ID.fullmatch(build_id):
        return build_id
    raise VMError(
        f"{checkpoint} is no checkpoint of bootsmith's: {why}",
        hint="make one with VM.checkpoint() or `bootsmith snapshot`",
    )


@contextmanager
def place_for(target: Path, *, overlay: Path, image: Path) -> Iterator[RuntimeFolder]:
    """A folder in which the checkpoint of ``overlay`` can be made, beside ``target``.

    To be had before the machine is stopped, whose changes would be lost else.  Raises ``HostError``
    where no such file can be written, there is no room for what ``overlay`` holds so far, or
    ``image`` is not there any more.
    """
    FileSource(image).close()
    if is_folder(target):
        raise HostError(f"cannot write {target}: it is a folder", hint="name a file in it")
    parent = target.absolute().parent
    with RuntimeFolder(prefix=".bootsmith-checkpoint-", parent=parent) as folder:
        needed, free = file_use(overlay).allocated_bytes, free_bytes(folder.path)
        if needed > free:
            raise HostError(
                f"{parent} has no room for the checkpoint: about {needed >> 20} MiB are needed, "
                f"{free >> 20} MiB are free",
                hint="make room, or name a file on another disk",
            )
        yield folder


def save_changes(
    overlay: Path,
    target: Path,
    *,
    place: RuntimeFolder,
    image: Path,
    image_format: DiskFormat,
    build_id: str,
) -> None:
    """Write the changes in ``overlay``, which no machine uses any more, to ``target``.

    Appears whole or not at all.  Raises ``CommandFailed`` when qemu-img cannot, ``HostError``
    when the file cannot be written.
    """
    made = place.path / "checkpoint"
    based = ("-B", real_path(image), "-F", image_format.value)
    run(("qemu-img", "convert", "-f", "qcow2", "-O", "qcow2", *based, overlay, made))
    _rebase(made, f"{_SCHEME}{build_id}", image_format)
    place.keep(made, target)


def copy_changes(checkpoint: Path, overlay: Path, *, image: Path, image_format: DiskFormat) -> None:
    """Make ``overlay`` begin with the changes in ``checkpoint``, over the image as it lies now.

    Raises ``VMError`` when it is no checkpoint, ``HostError`` when there is no room.
    """
    copy_sparse(checkpoint, overlay)
    build_id_of(overlay)  # of the copy: nobody can change that any more
    _rebase(overlay, str(image), image_format)


def _rebase(overlay: Path, backing: str, backing_format: DiskFormat) -> None:
    run(
        (
            *("qemu-img", "rebase", "-q", "-u", "-f", "qcow2"),
            *("-F", backing_format.value, "-b", backing, overlay),
        )
    )
