"""Releases of libkrunfw, made here: both archive forms, with a kernel of a few kilobytes."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
from collections.abc import Mapping

from tests.support.kernel_shapes import RELEASE, arm64_image

VERSION = "v5.2.1"
KERNELS = {
    "x86_64": (b"\xfc\x8b\x03" + f"Linux version {RELEASE} (root@here)".encode()).ljust(
        4096, b"\0"
    ),
    "aarch64": arm64_image().ljust(4096, b"\0"),
}
"""A kernel by architecture: x86's as it lies in memory, arm64's an Image."""

MACHINES = {"x86_64": 62, "aarch64": 183}
_EHDR = struct.Struct("<4sBBBB8xHHIQQQIHHHHHH")
_PHDR = struct.Struct("<IIQQQQQQ")
_SHDR = struct.Struct("<IIQQQQIIQQ")
_SYM = struct.Struct("<IBBHQQ")
_DATA_AT, _DATA_ADDRESS = 0x1000, 0x40000  # they differ, as on arm64


def release(arch: str, *, with_source: bool = False) -> dict[str, bytes]:
    """The files of a release by their paths below the mirror."""
    kernel = KERNELS[arch]
    files = {f"{VERSION}/libkrunfw-{arch}.tgz": library_archive(library(kernel, arch=arch))}
    if with_source:
        files[f"{VERSION}/libkrunfw-prebuilt-{arch}.tgz"] = source_archive(source(kernel))
    return files


def library(
    kernel: bytes,
    *,
    arch: str = "x86_64",
    symbol: bytes = b"KERNEL_BUNDLE",
    size_bytes: int | None = None,
    address: int = _DATA_ADDRESS,
) -> bytes:
    """A shared library that exports ``kernel`` and the NUL of C behind it, as strip leaves it."""
    data = kernel + b"\0"
    names = b"\0krunfw_get_version\0" + symbol + b"\0"
    symbols = _SYM.pack(0, 0, 0, 0, 0, 0) + _SYM.pack(1, 0x12, 0, 1, 0x500, 11)
    symbols += _SYM.pack(20, 0x11, 0, 3, address, len(data) if size_bytes is None else size_bytes)
    section_names = b"\0.dynsym\0.dynstr\0.data\0.shstrtab\0"
    body = bytearray(_EHDR.size + 2 * _PHDR.size)
    _PHDR.pack_into(body, _EHDR.size, 1, 4, 0, 0, 0, len(body), len(body), 0x1000)
    _PHDR.pack_into(
        body, _EHDR.size + _PHDR.size,
        *(1, 6, _DATA_AT, _DATA_ADDRESS, _DATA_ADDRESS, len(data), len(data), 0x1000),
    )  # fmt: skip
    headers = [_SHDR.pack(*[0] * 10)]
    for name, kind, content, link in (
        (b".dynsym", 11, symbols, 2),
        (b".dynstr", 3, names, 0),
        (b".data", 1, data, 0),
        (b".shstrtab", 3, section_names, 0),
    ):
        if name == b".data":
            body += bytes(_DATA_AT - len(body))
        at = section_names.index(name)
        headers.append(_SHDR.pack(at, kind, 0, 0, len(body), len(content), link, 0, 1, 0))
        body += content
    _EHDR.pack_into(
        body, 0, *(b"\x7fELF", 2, 1, 1, 0), *(3, MACHINES[arch], 1, 0, _EHDR.size, len(body), 0),
        *(_EHDR.size, _PHDR.size, 2, _SHDR.size, len(headers), len(headers) - 1),
    )  # fmt: skip
    return bytes(body) + b"".join(headers)


def source(kernel: bytes) -> bytes:
    """``kernel.c``, as the release's own generator writes it."""
    lines = (
        "".join(f"\\x{byte:x}" for byte in kernel[start : start + 16])
        for start in range(0, len(kernel), 16)
    )
    text = '"\n"'.join(lines) + ('"\n"' if len(kernel) % 16 == 0 else "")
    return (
        "#include <stddef.h>\n"
        f'__attribute__ ((aligned (65536))) char KERNEL_BUNDLE[] = \n"{text}";\n\n'
        "char * krunfw_get_kernel(size_t *load_addr, size_t *entry_addr, size_t *size)\n{\n}\n"
    ).encode()


def library_archive(data: bytes) -> bytes:
    """The library under its three names, as ``make install`` leaves them."""
    return tgz(
        {"lib64/libkrunfw.so.5.2.1": data},
        links={
            "lib64/libkrunfw.so.5": "libkrunfw.so.5.2.1",
            "lib64/libkrunfw.so": "libkrunfw.so.5",
        },
    )


def source_archive(text: bytes) -> bytes:
    return tgz({"libkrunfw/Makefile": b"all:\n", "libkrunfw/kernel.c": text})


def tgz(files: Mapping[str, bytes], *, links: Mapping[str, str] | None = None) -> bytes:
    """A compressed tar of ``files`` and symbolic ``links``."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for path, target in (links or {}).items():
            member = tarfile.TarInfo(path)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return gzip.compress(packed.getvalue(), 1, mtime=0)
