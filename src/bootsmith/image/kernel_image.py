"""Kernel files: what they are for, and the plain ELF inside those that unpack themselves.

Formats: x86's bzImage (the kernel's Documentation/arch/x86/boot.rst), arm64's Image
(Documentation/arch/arm64/booting.rst), EFI zboot (drivers/firmware/efi/libstub/zboot-header.S)
and ELF; any of them may be compressed as a whole.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import Enum

from bootsmith.errors import ArchiveError, ImageError
from bootsmith.image.decompression import decompressed
from bootsmith.image.elf import MAGIC as ELF_MAGIC
from bootsmith.image.elf import ElfFile
from bootsmith.model.arch import Arch

KERNEL_MAX_BYTES = 256 << 20

_BANNER = re.compile(rb"Linux version (\S{1,64}) \(")

# struct setup_header of arch/x86/include/uapi/asm/bootparam.h, at its places in the file.
_SETUP_SECTORS = 0x1F1
_SETUP_MAGIC = 0x202, b"HdrS"
_VERSION_TEXT = struct.Struct("<H"), 0x20E
_PROTOCOL = struct.Struct("<H"), 0x206
_LONG_FLAGS = struct.Struct("<H"), 0x236
_PAYLOAD = struct.Struct("<II"), 0x248
_KERNEL_64 = 1  # XLF_KERNEL_64
_FIRST_PROTOCOL_WITH_PAYLOAD = 0x0208
_FIRST_PROTOCOL_WITH_LONG_FLAGS = 0x020C
_SECTOR_BYTES = 512

_ARM64_MAGIC = 56, b"ARM\x64"
_ZBOOT_MAGIC = 4, b"zimg"
_ZBOOT_PAYLOAD = struct.Struct("<II"), 8


class KernelFormat(Enum):
    """How a kernel is packed.  A machine's loader takes some of them: QEMU all but zboot on
    x86, Firecracker ELF on x86_64 and Image on aarch64."""

    BZIMAGE = "bzImage"
    IMAGE = "Image"
    ZBOOT = "EFI zboot"
    ELF = "ELF"
    MEMORY = "memory image"  # as it lies when it runs, without any header: libkrun's for x86


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelFacts:
    """``release`` is what ``uname -r`` will say (``6.1.0-18-cloud-amd64``)."""

    arch: Arch
    format: KernelFormat
    release: str
    is_compressed: bool = False


def kernel_facts(data: bytes) -> KernelFacts:
    """What the kernel file ``data`` is.

    Raises ``ArchiveError`` when it is no kernel for x86_64 or aarch64, or is damaged.
    """
    plain = decompressed(data, most_bytes=KERNEL_MAX_BYTES)
    kernel_format = _format(plain)
    is_compressed = plain is not data
    match kernel_format:
        case None | KernelFormat.MEMORY:
            raise _no_kernel()
        case KernelFormat.BZIMAGE:
            arch, release = Arch.X86_64, _bzimage_release(plain)
        case KernelFormat.IMAGE:
            arch, release = Arch.AARCH64, _banner(plain)
        case KernelFormat.ZBOOT:
            inner = kernel_facts(_zboot_payload(plain))
            arch, release = inner.arch, inner.release
        case KernelFormat.ELF:
            arch, release = _elf_arch(plain), _banner(plain)
    return KernelFacts(
        arch=arch, format=kernel_format, release=release, is_compressed=is_compressed
    )


def libkrun_kernel_facts(data: bytes) -> KernelFacts:
    """What the kernel ``data`` is, which libkrun boots.

    Beside the formats of ``kernel_facts`` that is x86's memory image; it tells its release, and
    where it has no header of another format it can only be for x86_64.  Raises as that does.
    """
    if _format(decompressed(data, most_bytes=KERNEL_MAX_BYTES)) is not None:
        return kernel_facts(data)
    return KernelFacts(arch=Arch.X86_64, format=KernelFormat.MEMORY, release=_banner(data))


def plain_kernel(data: bytes) -> bytes:
    """The kernel inside ``data`` that unpacks nothing: an ELF for x86_64, an Image for aarch64.

    It is what Firecracker and libkrun load.  Raises ``ArchiveError`` when there is none.
    """
    plain = decompressed(data, most_bytes=KERNEL_MAX_BYTES)
    match _format(plain):
        case KernelFormat.BZIMAGE:
            return _bzimage_payload(plain)
        case KernelFormat.ZBOOT:
            return plain_kernel(_zboot_payload(plain))
        case KernelFormat.IMAGE | KernelFormat.ELF:
            return plain
        case None | KernelFormat.MEMORY:
            raise _no_kernel()


def require_kernel(facts: KernelFacts, *, arch: Arch, release: str | None = None) -> None:
    """Raises ``ImageError`` unless the kernel runs on ``arch`` and fits modules of ``release``."""
    if facts.arch is not arch:
        raise ImageError(
            f"the kernel {facts.release} is made for {facts.arch}, the image for {arch}",
            hint=f"use a kernel for {arch}",
        )
    if release is not None and facts.release != release:
        raise ImageError(
            f"the kernel is {facts.release}, its modules are those of {release}",
            hint="take the kernel's modules and its image from the same package",
        )


def _format(data: bytes) -> KernelFormat | None:
    for (offset, magic), kernel_format in (
        (_SETUP_MAGIC, KernelFormat.BZIMAGE),
        (_ZBOOT_MAGIC, KernelFormat.ZBOOT),
        (_ARM64_MAGIC, KernelFormat.IMAGE),
        ((0, ELF_MAGIC), KernelFormat.ELF),
    ):
        if data[offset : offset + len(magic)] == magic:
            return kernel_format
    return None


def _no_kernel() -> ArchiveError:
    return ArchiveError(
        "not a kernel: neither bzImage, arm64 Image, EFI zboot nor ELF",
        hint="use a kernel for x86_64 or aarch64",
    )


def _bzimage_release(data: bytes) -> str:
    if _field(data, _PROTOCOL)[0] >= _FIRST_PROTOCOL_WITH_LONG_FLAGS and not (
        _field(data, _LONG_FLAGS)[0] & _KERNEL_64
    ):
        raise ArchiveError("a 32-bit x86 kernel", hint="use a kernel for x86_64")
    start = _field(data, _VERSION_TEXT)[0] + _SECTOR_BYTES
    text = data[start : start + 256].partition(b"\0")[0]
    release = text.split(b" ")[0].decode("ascii", "replace")
    if not release:
        raise ArchiveError("the kernel does not tell its version", offset=start)
    return release


def _bzimage_payload(data: bytes) -> bytes:
    if _field(data, _PROTOCOL)[0] < _FIRST_PROTOCOL_WITH_PAYLOAD:
        raise ArchiveError("a kernel from before 2008 does not tell where its payload is")
    offset, size = _field(data, _PAYLOAD)
    start = ((data[_SETUP_SECTORS] or 4) + 1) * _SECTOR_BYTES + offset
    return _payload(data, start, size)


def _zboot_payload(data: bytes) -> bytes:
    return _payload(data, *_field(data, _ZBOOT_PAYLOAD))


def _payload(data: bytes, start: int, size: int) -> bytes:
    if start + size > len(data):
        raise ArchiveError("the kernel is cut off inside its payload", offset=len(data))
    packed = data[start : start + size]
    plain = decompressed(packed, most_bytes=KERNEL_MAX_BYTES)
    if plain is packed and not packed.startswith(ELF_MAGIC):
        raise ArchiveError(
            f"the kernel's payload is compressed in an unknown way: {packed[:8].hex(' ')}",
            offset=start,
        )
    return plain


def _elf_arch(data: bytes) -> Arch:
    machine = ElfFile(data).machine
    for arch in Arch:
        if arch.elf_machine == machine:
            return arch
    raise ArchiveError(f"an ELF file for machine {machine}", hint="use one for x86_64 or aarch64")


def _banner(data: bytes) -> str:
    """The release in ``linux_banner``, which /proc/version shows."""
    found = _BANNER.search(data)
    if found is None:
        raise ArchiveError("no Linux kernel: its version is nowhere in it")
    return found[1].decode("ascii", "replace")


def _field(data: bytes, field: tuple[struct.Struct, int]) -> tuple[int, ...]:
    layout, offset = field
    if offset + layout.size > len(data):
        raise ArchiveError("the kernel is cut off in its header", offset=len(data))
    return layout.unpack_from(data, offset)
