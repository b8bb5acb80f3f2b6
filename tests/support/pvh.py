"""A kernel that lies as in memory, in an ELF file that QEMU starts by the PVH protocol."""

from __future__ import annotations

import struct

LOAD_ADDRESS = 0x1000000
"""Where libkrunfw's kernels for x86_64 lie; PVH's entry is their first byte."""

_EHDR = struct.Struct("<4sBBBB8xHHIQQQIHHHHHH")
_PHDR = struct.Struct("<IIQQQQQQ")
_NOTE = struct.Struct("<III4sI")
_ROOM_BYTES = 16 << 20  # what a kernel takes behind its image: .bss and the like
_PHYS32_ENTRY = 18  # XEN_ELFNOTE_PHYS32_ENTRY of <xen/interface/elfnote.h>


def pvh_kernel(kernel: bytes) -> bytes:
    """An ELF file that loads ``kernel`` and begins at its first byte."""
    note = _NOTE.pack(4, 4, _PHYS32_ENTRY, b"Xen\0", LOAD_ADDRESS)
    note_at, kernel_at = _EHDR.size + 2 * _PHDR.size, 0x1000
    header = _EHDR.pack(
        *(b"\x7fELF", 2, 1, 1, 0), *(2, 62, 1, LOAD_ADDRESS, _EHDR.size, 0, 0),
        *(_EHDR.size, _PHDR.size, 2, 64, 0, 0),
    )  # fmt: skip
    size = len(kernel)
    loaded = _PHDR.pack(
        1, 7, kernel_at, LOAD_ADDRESS, LOAD_ADDRESS, size, size + _ROOM_BYTES, 0x1000
    )
    noted = _PHDR.pack(4, 4, note_at, 0, 0, len(note), len(note), 4)
    return (header + loaded + noted + note).ljust(kernel_at, b"\0") + kernel
