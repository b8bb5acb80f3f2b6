"""The kernel in libkrunfw: out of the library and out of its source, for any architecture."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bootsmith.errors import ArchiveError
from bootsmith.image.kernel_image import KernelFormat, libkrun_kernel_facts
from bootsmith.image.libkrunfw import kernel_of_library, kernel_of_source
from bootsmith.model.arch import Arch
from tests.support.kernel_shapes import RELEASE, bzimage, vmlinux
from tests.support.krunfw_archives import KERNELS, library, source
from tests.support.microsandbox import real_library

EVERY_BYTE = bytes(range(256)) * 5 + b"\0" * 40 + b"x"


@pytest.mark.parametrize("arch", Arch)
def test_out_of_the_library(arch: Arch) -> None:
    kernel = KERNELS[arch.value]
    found = kernel_of_library(library(kernel, arch=arch.value), arch)
    assert found == kernel
    assert libkrun_kernel_facts(found).arch is arch


def test_only_the_strings_own_end_is_cut_off() -> None:
    assert kernel_of_library(library(b"kernel\0\0\0"), Arch.X86_64) == b"kernel\0\0\0"


@pytest.mark.parametrize("piece_bytes", [1, 2, 3, 7, 50, 1 << 20])
@pytest.mark.parametrize("kernel", [b"\0", b"\xff" * 16, EVERY_BYTE], ids=["one", "line", "every"])
def test_out_of_the_source_however_it_arrives(kernel: bytes, piece_bytes: int) -> None:
    text = source(kernel)
    assert b"".join(kernel_of_source(pieces(text, piece_bytes))) == kernel


GOOD = library(KERNELS["x86_64"])
BAD_LIBRARIES = {
    "empty": b"",
    "no ELF": b"!<arch>\n" * 100,
    "header cut": GOOD[:40],
    "kernel cut": GOOD[:0x1800],
    "section headers cut": GOOD[:-64],
    "no symbol": library(KERNELS["x86_64"], symbol=b"QBOOT_BUNDLE_"),
    "a symbol beyond the segment": library(b"kernel", size_bytes=100),
    "an enormous symbol": library(b"kernel", size_bytes=1 << 62),
    "a symbol in no segment": library(b"kernel", address=0x90000),
    "32 bits": GOOD[:4] + b"\1" + GOOD[5:],
    "program headers beyond the end": GOOD[:32] + b"\xff" * 7 + b"\0" + GOOD[40:],
}


@pytest.mark.parametrize("case", BAD_LIBRARIES)
def test_what_is_no_such_library(case: str) -> None:
    with pytest.raises(ArchiveError):
        kernel_of_library(BAD_LIBRARIES[case], Arch.X86_64)


def test_a_library_for_another_architecture() -> None:
    with pytest.raises(ArchiveError, match="machine 62, not for aarch64"):
        kernel_of_library(GOOD, Arch.AARCH64)


HEAD = b'char KERNEL_BUNDLE[] = \n"'
BAD_SOURCES = {
    "empty": b"",
    "another array": b'char QBOOT_BUNDLE[] = "\\x1";',
    "cut in the middle": source(EVERY_BYTE)[:700],
    "cut before its end": HEAD + b'\\x1"\n',
    "no escapes": HEAD + b'abc";',
    "text among them": HEAD + b'\\x1\\x2z\\x3";',
    "too long an escape": HEAD + b'\\x1\\x123";',
    "a lot of nothing": HEAD + b"a" * (2 << 20),
    "a comment between": HEAD + b'\\x1" /* more */ "\\x2";',
    "a definition after much else": b" " * (1 << 20) + HEAD + b'\\x1";',
}


@pytest.mark.parametrize("case", BAD_SOURCES)
def test_what_is_no_such_source(case: str) -> None:
    with pytest.raises(ArchiveError):
        b"".join(kernel_of_source(pieces(BAD_SOURCES[case], 64 << 10)))


def test_kernels_that_libkrun_boots() -> None:
    facts = libkrun_kernel_facts(KERNELS["x86_64"])
    assert (facts.arch, facts.format) == (Arch.X86_64, KernelFormat.MEMORY)
    assert facts.release == RELEASE
    assert libkrun_kernel_facts(vmlinux()).format is KernelFormat.ELF
    assert libkrun_kernel_facts(bzimage(b"")).format is KernelFormat.BZIMAGE
    for data in (b"", b"\0" * 4096, b"\x7fELF a kernel"):
        with pytest.raises(ArchiveError):
            libkrun_kernel_facts(data)


@pytest.mark.network
@pytest.mark.parametrize("arch", Arch)
def test_the_real_library(arch: Arch) -> None:
    """Of either architecture, on this machine, whatever it is: nothing of it is run."""
    kernel = kernel_of_library(real_library(arch), arch)
    facts = libkrun_kernel_facts(kernel)
    assert facts.arch is arch
    assert facts.release.startswith("6.")
    assert len(kernel) % (64 << 10) == 0  # its generator rounds up to the largest pages there are
    if arch is Arch.AARCH64:
        assert facts.format is KernelFormat.IMAGE
    else:
        assert facts.format is KernelFormat.MEMORY
        assert kernel.startswith(b"\xfc\x8b\x03")  # cld; mov (%ebx),%eax: PVH's entry


def pieces(data: bytes, size_bytes: int) -> Iterator[bytes]:
    for start in range(0, len(data), size_bytes):
        yield data[start : start + size_bytes]
