"""Whether the files of an image are what they are there for: a checksum says nothing of that.

Nine bytes with the right checksum are no root file system.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bootsmith.errors import ArchiveError, HostError, ImageError, Problem
from bootsmith.host.files import FileSource, read_whole
from bootsmith.image import qcow2
from bootsmith.image.cpio import MAGIC as CPIO_MAGIC
from bootsmith.image.decompression import decompressed_start
from bootsmith.image.ext4 import Ext4Reader
from bootsmith.image.kernel_image import KERNEL_MAX_BYTES, kernel_facts
from bootsmith.model.arch import Arch

_INITRAMFS_MAX_BYTES = 1 << 30
# File systems and disk formats that are known by their magic number and not looked into.
_OTHER_ROOTS = ((0, b"hsqs"), (1024, b"\xe2\xe1\xf5\xe0"))


def kernel_problems(path: Path, arch: Arch) -> Iterator[Problem]:
    """That the file is a kernel, and one for ``arch``."""
    try:
        facts = kernel_facts(read_whole(path, most_bytes=KERNEL_MAX_BYTES))
    except (ImageError, HostError) as error:
        yield Problem(pointer="assets.kernel", message=f"{path.name} is no kernel: {error}")
        return
    if facts.arch is not arch:
        yield Problem(
            pointer="assets.kernel",
            message=f"{path.name} is a kernel for {facts.arch}, the image is for {arch}",
        )


def initramfs_problems(path: Path) -> Iterator[Problem]:
    """That the file is a cpio archive, in whatever compression the kernel knows."""
    try:
        data = read_whole(path, most_bytes=_INITRAMFS_MAX_BYTES)
        start = decompressed_start(data, len(CPIO_MAGIC))
    except (ArchiveError, HostError) as error:
        yield Problem(pointer="assets.initramfs", message=f"{path.name} cannot be read: {error}")
        return
    if start != CPIO_MAGIC:
        yield Problem(
            pointer="assets.initramfs", message=f"{path.name} is no cpio archive, compressed or not"
        )


def rootfs_problems(path: Path) -> Iterator[Problem]:
    """That the file is an ext4 file system that agrees with itself, or another known format."""
    try:
        with FileSource(path) as source:
            if any(source.read_at(at, len(magic)) == magic for at, magic in _OTHER_ROOTS):
                return
            if source.read_at(0, len(qcow2.MAGIC)) == qcow2.MAGIC:
                # By name and content: as a raw disk it would be nothing, and harmless.
                qcow2.require_self_contained(source)
                return
            Ext4Reader(source).check_groups()
    except (ArchiveError, HostError) as error:
        yield Problem(
            pointer="assets.rootfs", message=f"{path.name} is no root file system: {error}"
        )
