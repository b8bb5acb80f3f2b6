"""Whether the files of an image are what they are there for: a checksum says nothing of that.

Nine bytes with the right checksum are no root file system.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from bootsmith.errors import ArchiveError, HostError, ImageError, Problem
from bootsmith.host.disk_use import file_use
from bootsmith.host.files import FileSource, read_whole
from bootsmith.image import qcow2
from bootsmith.image.cpio import MAGIC as CPIO_MAGIC
from bootsmith.image.decompression import decompressed_start
from bootsmith.image.ext4 import Ext4Reader
from bootsmith.image.kernel_image import (
    KERNEL_MAX_BYTES,
    KernelFacts,
    kernel_facts,
    libkrun_kernel_facts,
)
from bootsmith.model.arch import Arch

_INITRAMFS_MAX_BYTES = 1 << 30
# File systems and disk formats that are known by their magic number and not looked into.
_OTHER_ROOTS = ((0, b"hsqs"), (1024, b"\xe2\xe1\xf5\xe0"))


def kernel_problems(path: Path, arch: Arch) -> Iterator[Problem]:
    """That the file is a kernel, and one for ``arch``."""
    return _kernel_problems("assets.kernel", path, arch, kernel_facts)


def krun_kernel_problems(path: Path, arch: Arch) -> Iterator[Problem]:
    """That the file is a kernel that libkrun boots, and one for ``arch``."""
    return _kernel_problems("assets.krunKernel", path, arch, libkrun_kernel_facts)


def initramfs_problems(path: Path) -> Iterator[Problem]:
    """That the file is a cpio archive, in whatever compression the kernel knows."""
    return _initramfs_problems("assets.initramfs", path)


def krun_initrd_problems(path: Path) -> Iterator[Problem]:
    """That the file is empty, as libkrun's usual initramfs is, or one all the same."""
    if file_use(path).apparent_bytes:
        yield from _initramfs_problems("assets.krunInitrd", path)


def _kernel_problems(
    pointer: str, path: Path, arch: Arch, facts_of: Callable[[bytes], KernelFacts]
) -> Iterator[Problem]:
    try:
        facts = facts_of(read_whole(path, most_bytes=KERNEL_MAX_BYTES))
    except (ImageError, HostError) as error:
        yield Problem(pointer=pointer, message=f"{path.name} is no kernel: {error}")
        return
    if facts.arch is not arch:
        yield Problem(
            pointer=pointer,
            message=f"{path.name} is a kernel for {facts.arch}, the image is for {arch}",
        )


def _initramfs_problems(pointer: str, path: Path) -> Iterator[Problem]:
    try:
        data = read_whole(path, most_bytes=_INITRAMFS_MAX_BYTES)
        start = decompressed_start(data, len(CPIO_MAGIC))
    except (ArchiveError, HostError) as error:
        yield Problem(pointer=pointer, message=f"{path.name} cannot be read: {error}")
        return
    if start != CPIO_MAGIC:
        yield Problem(pointer=pointer, message=f"{path.name} is no cpio archive, compressed or not")


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
