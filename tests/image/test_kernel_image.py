"""Kernel files: what they are, and the plain kernel inside."""

from __future__ import annotations

import gzip

import pytest

from bootsmith.errors import ArchiveError, ImageError
from bootsmith.image.compression import Compression, compressed
from bootsmith.image.kernel_image import (
    KernelFacts,
    KernelFormat,
    kernel_facts,
    plain_kernel,
    require_kernel,
)
from bootsmith.model.arch import Arch
from bootsmith.model.guest_path import display
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import RegularFile
from tests.support.debian_kernel import kernel_package
from tests.support.kernel_shapes import RELEASE, arm64_image, bzimage, elf, vmlinux, zboot

PACKED = [item for item in Compression if item is not Compression.NONE]


@pytest.mark.parametrize(
    ("data", "arch", "form"),
    [
        (bzimage(b""), Arch.X86_64, KernelFormat.BZIMAGE),
        (arm64_image(), Arch.AARCH64, KernelFormat.IMAGE),
        (zboot(gzip.compress(arm64_image(), mtime=0)), Arch.AARCH64, KernelFormat.ZBOOT),
        (vmlinux(), Arch.X86_64, KernelFormat.ELF),
        (vmlinux(machine=183), Arch.AARCH64, KernelFormat.ELF),
    ],
)
def test_what_a_kernel_is(data: bytes, arch: Arch, form: KernelFormat) -> None:
    assert kernel_facts(data) == KernelFacts(arch=arch, format=form, release=RELEASE)


def test_a_kernel_compressed_as_a_whole() -> None:
    facts = kernel_facts(gzip.compress(arm64_image()))
    assert facts == KernelFacts(
        arch=Arch.AARCH64, format=KernelFormat.IMAGE, release=RELEASE, is_compressed=True
    )
    assert plain_kernel(gzip.compress(arm64_image())) == arm64_image()


@pytest.mark.parametrize("compression", Compression)
def test_the_elf_in_a_bzimage(compression: Compression) -> None:
    payload = compressed(vmlinux(), compression) + len(vmlinux()).to_bytes(4, "little")
    found = plain_kernel(bzimage(payload))
    assert found.startswith(vmlinux())
    assert kernel_facts(found).format is KernelFormat.ELF


def test_the_image_in_a_zboot() -> None:
    assert plain_kernel(zboot(gzip.compress(arm64_image()))) == arm64_image()


@pytest.mark.parametrize("data", [vmlinux(), arm64_image()])
def test_plain_kernels_stay_as_they_are(data: bytes) -> None:
    assert plain_kernel(data) is data


BAD = {
    "empty": b"",
    "text": b"#!/bin/sh\n" * 100,
    "32 bits": bzimage(b"", flags=0),
    "header cut": bzimage(b"")[:0x220],
    "no version": bzimage(b"", release=""),
    "no banner": elf({".rodata": (1, b"nothing", 0)}),
    "another machine": vmlinux(machine=243),
}


@pytest.mark.parametrize("case", BAD)
def test_files_that_are_no_kernels_for_us(case: str) -> None:
    with pytest.raises(ArchiveError):
        kernel_facts(BAD[case])


@pytest.mark.parametrize(
    "data",
    [
        bzimage(b"an unknown compression"),
        bzimage(compressed(vmlinux(), Compression.XZ))[:-40],
        bzimage(compressed(vmlinux(), Compression.XZ)[:-40]),
    ],
    ids=["unknown", "file cut", "payload cut"],
)
def test_payloads_that_cannot_be_unpacked(data: bytes) -> None:
    with pytest.raises(ArchiveError):
        plain_kernel(data)


def test_kernels_that_do_not_fit() -> None:
    facts = kernel_facts(bzimage(b""))
    require_kernel(facts, arch=Arch.X86_64, release=RELEASE)
    with pytest.raises(ImageError, match="made for x86_64, the image for aarch64"):
        require_kernel(facts, arch=Arch.AARCH64)
    with pytest.raises(ImageError, match=r"its modules are those of 6\.9"):
        require_kernel(facts, arch=Arch.X86_64, release="6.9")


@pytest.mark.network
def test_debians_kernel() -> None:
    package = kernel_package()
    (path,) = (path for path in package.tree if path.startswith(b"boot/vmlinuz-"))
    inode = package.tree.inode(path)
    assert isinstance(inode, RegularFile)
    data = read_content(inode.content, blobs=package)
    facts = kernel_facts(data)
    assert facts.release == display(path).removeprefix("boot/vmlinuz-")
    inner = kernel_facts(plain_kernel(data))
    assert (inner.arch, inner.release) == (facts.arch, facts.release)
    assert inner.format in (KernelFormat.ELF, KernelFormat.IMAGE)
