"""Tar archives made block by block, also the shapes that no writer here would make."""

from __future__ import annotations

import struct
from collections.abc import Mapping

_LAYOUT = struct.Struct("100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12s")
USTAR, GNU, V7 = b"ustar\x0000", b"ustar  \0", b""


def octal(value: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, value)


def base256(value: int, width: int) -> bytes:
    """GNU's form for numbers that octal digits cannot hold."""
    if value < 0:
        return (value + (1 << 8 * width)).to_bytes(width, "big")
    return (value | 1 << (8 * width - 1)).to_bytes(width, "big")


def header(
    name: bytes,
    *,
    kind: bytes = b"0",
    size: int | bytes = 0,
    mode: int = 0o644,
    uid: int | bytes = 0,
    gid: int | bytes = 0,
    mtime: int | bytes = 0,
    link: bytes = b"",
    magic: bytes = USTAR,
    device: tuple[int, int] = (0, 0),
    prefix: bytes = b"",
    tail: bytes = b"",
) -> bytes:
    """One header block with its checksum; numbers given as bytes are used as they are."""

    def field(value: int | bytes, width: int) -> bytes:
        return value if isinstance(value, bytes) else octal(value, width)

    block = _LAYOUT.pack(
        *(name, field(mode, 8), field(uid, 8), field(gid, 8), field(size, 12), field(mtime, 12)),
        *(b" " * 8, kind, link, magic, b"", b""),
        *(octal(device[0], 8), octal(device[1], 8), prefix, tail),
    )
    return with_checksum(block)


def with_checksum(block: bytes) -> bytes:
    blank = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(blank) + block[156:]


def blocks(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def file(name: bytes, data: bytes = b"", **fields: object) -> bytes:
    return header(name, **{"size": len(data), **fields}) + blocks(data)  # type: ignore[arg-type]


def directory(name: bytes, **fields: object) -> bytes:
    return header(name, **{"kind": b"5", "mode": 0o755, **fields})  # type: ignore[arg-type]


def symlink(name: bytes, target: bytes) -> bytes:
    return header(name, kind=b"2", link=target, mode=0o777)


def hard_link(name: bytes, target: bytes) -> bytes:
    return header(name, kind=b"1", link=target)


def pax_data(records: Mapping[bytes, bytes] | list[tuple[bytes, bytes]]) -> bytes:
    pairs = records.items() if isinstance(records, Mapping) else records
    written = []
    for key, value in pairs:
        rest = b" %s=%s\n" % (key, value)
        length = len(rest) + 1
        while len(b"%d" % length) + len(rest) != length:
            length += 1
        written.append(b"%d" % length + rest)
    return b"".join(written)


def pax(records: Mapping[bytes, bytes] | list[tuple[bytes, bytes]], *, kind: bytes = b"x") -> bytes:
    return file(b"PaxHeaders/x", pax_data(records), kind=kind)


def gnu_long(text: bytes, *, kind: bytes = b"L") -> bytes:
    return file(b"././@LongLink", text + b"\0", kind=kind, magic=GNU)


def archive(*parts: bytes) -> bytes:
    return b"".join(parts) + bytes(1024)
