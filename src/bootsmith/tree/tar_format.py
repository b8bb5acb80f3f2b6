"""The tar header block: POSIX.1-1988 ``ustar``, and what GNU tar made of it.

The layout is that of POSIX.1-2017, pax, "ustar Interchange Format"; the GNU differences are
those of ``struct posix_header`` and ``struct oldgnu_header`` in GNU tar's ``tar.h``.
"""

from __future__ import annotations

import struct
import zlib
from typing import TypeAlias

BLOCK_BYTES = 512
ZERO_BLOCK = bytes(BLOCK_BYTES)

# name mode uid gid size mtime chksum typeflag linkname magic version uname gname
# devmajor devminor prefix
HEADER = struct.Struct("100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12x")
assert HEADER.size == BLOCK_BYTES

Header: TypeAlias = tuple[
    bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes,
    bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes,
]  # fmt: skip

NAME_BYTES = 100
PREFIX_BYTES = 155
USTAR_MAGIC = b"ustar\0"
CHECKSUM_START, CHECKSUM_END = 148, 156
_CHECKSUM_BLANK = 8 * ord(" ")  # the field counts as spaces in its own sum
_ADLER_MODULUS = 65521

REGULAR, OLD_REGULAR, HARD_LINK, SYMLINK = b"0", b"\0", b"1", b"2"
CHARACTER_DEVICE, BLOCK_DEVICE, DIRECTORY, FIFO, CONTIGUOUS = b"3", b"4", b"5", b"6", b"7"
PAX, PAX_GLOBAL = b"x", b"g"
GNU_LONG_NAME, GNU_LONG_LINK, GNU_SPARSE = b"L", b"K", b"S"


def text(field: bytes) -> bytes:
    """A header's text field: up to the first NUL, or all of it."""
    return field.partition(b"\0")[0]


def full_name(block: bytes, header: Header) -> bytes:
    """A member's name, with what POSIX or star put before it in the prefix field."""
    name = text(header[0])
    if header[15][0] and header[9] == USTAR_MAGIC:
        star = block[-4:] == b"tar\0"  # star keeps two times at the end of that field
        return text(header[15][: 131 if star else PREFIX_BYTES]) + b"/" + name
    return name


def number(field: bytes) -> int:
    """A header's number: octal digits, or GNU's base 256 when the first bit is set.

    Raises ``ValueError``.
    """
    digits = field.rstrip(b"\0 ")
    if digits.isdigit():  # as almost every program writes it
        return int(digits, 8)
    if field[0] & 0x80:
        # Two's complement over the whole field but its first bit; 0xff begins a negative one.
        value = int.from_bytes(field, "big")
        bits = 8 * len(field)
        return value - (1 << bits) if field[0] & 0x40 else value & ((1 << (bits - 1)) - 1)
    digits = text(field).strip(b" ")
    if not digits:
        return 0
    if not digits.isdigit():
        raise ValueError(f"not a number: {field!r}")
    return int(digits, 8)


def checksum_holds(block: bytes) -> bool:
    """Whether the sum in a header block is that of its bytes, read as unsigned or signed.

    Adler-32's low half is one more than the sum modulo 65521: fifteen times faster here than
    ``sum``, which decides only what that does not.
    """
    try:
        stored = number(block[CHECKSUM_START:CHECKSUM_END])
    except ValueError:
        return False
    adler = zlib.adler32(block[CHECKSUM_END:], zlib.adler32(block[:CHECKSUM_START]))
    if ((adler & 0xFFFF) - 1 + _CHECKSUM_BLANK) % _ADLER_MODULUS == stored:
        return True
    counted = block[:CHECKSUM_START] + block[CHECKSUM_END:]
    unsigned = sum(counted) + _CHECKSUM_BLANK
    signed = unsigned - 256 * sum(byte > 127 for byte in counted)  # some old tars
    return stored in (unsigned, signed)


def with_checksum(block: bytes) -> bytes:
    """``block`` with its checksum field filled in."""
    before, after = block[:CHECKSUM_START], block[CHECKSUM_END:]
    if before.isascii() and after.isascii():  # then the sum stays below Adler-32's modulus
        total = (zlib.adler32(after, zlib.adler32(before)) & 0xFFFF) - 1
    else:
        total = sum(before) + sum(after)
    return b"%b%06o\0 %b" % (before, total + _CHECKSUM_BLANK, after)


def padded(size_bytes: int) -> int:
    """``size_bytes`` rounded up to whole blocks."""
    return -(-size_bytes // BLOCK_BYTES) * BLOCK_BYTES
