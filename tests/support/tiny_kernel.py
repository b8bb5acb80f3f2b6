"""The smallest guests there can be: a few bytes of machine code that QEMU boots in a moment.

They follow the Multiboot specification (version 0.6.96, with the address fields, so that no ELF
file is needed), print a text on the first serial port and then behave as asked.
"""

from __future__ import annotations

import struct
from enum import Enum
from pathlib import Path

_MAGIC = 0x1BADB002
_HAS_ADDRESSES = 1 << 16
_LOAD_ADDRESS = 0x100000
_HEADER = struct.Struct("<8I")


class Then(Enum):
    """What a tiny guest does after its text; each is machine code for 32-bit protected mode."""

    HANG = bytes.fromhex("fa f4 eb fd")  # cli; hlt; jmp to hlt
    RESET = bytes.fromhex("b0 fe e6 64 f4 eb fd")  # out 0x64, 0xfe: the keyboard controller's line


def write_tiny_kernel(path: Path, text: bytes = b"", *, then: Then = Then.HANG) -> Path:
    """Write a kernel for ``qemu-system-x86_64 -kernel``."""
    text_address = _LOAD_ADDRESS + _HEADER.size + len(_code(0, then))
    code = _code(text_address, then)
    header = _HEADER.pack(
        _MAGIC,
        _HAS_ADDRESSES,
        -(_MAGIC + _HAS_ADDRESSES) & 0xFFFFFFFF,
        _LOAD_ADDRESS,  # of the header
        _LOAD_ADDRESS,  # of the file's beginning
        0,  # the whole file is loaded
        0,  # nothing behind it is cleared
        _LOAD_ADDRESS + _HEADER.size,  # the entry
    )
    path.write_bytes(header + code + text + b"\0")
    return path


def _code(text_address: int, then: Then) -> bytes:
    return (
        b"\xfc"  # cld
        b"\xbe"  # mov esi, text
        + struct.pack("<I", text_address)
        + b"\x66\xba\xf8\x03"  # mov dx, 0x3f8
        + b"\xac"  # next: lodsb
        + b"\x84\xc0"  # test al, al
        + b"\x74\x03"  # jz after
        + b"\xee"  # out dx, al
        + b"\xeb\xf8"  # jmp next
        + then.value
    )
