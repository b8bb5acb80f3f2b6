"""Decompressing what kernels and their packages bring, by its magic number.

Besides the forms that ``compression`` writes: bzip2, LZMA, and LZ4's ordinary frame.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from typing import Protocol

import lz4.block
import lz4.frame

from bootsmith.errors import ArchiveError
from bootsmith.image.compression import LZ4_LEGACY_BLOCK_BYTES, LZ4_LEGACY_MAGIC
from bootsmith.model.zstd import zstd

DECOMPRESSED_MAX_BYTES = 1 << 30

# Five libraries' ways to say that their input is damaged; lz4.frame says RuntimeError.
_DAMAGE = (
    zlib.error,
    lzma.LZMAError,
    zstd.ZstdError,
    lz4.block.LZ4BlockError,
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
)

# LZ4_COMPRESSBOUND: the most that LZ4 makes of a block.
_LZ4_BLOCK_MAX_BYTES = LZ4_LEGACY_BLOCK_BYTES + LZ4_LEGACY_BLOCK_BYTES // 255 + 16


def decompressed(data: bytes, *, most_bytes: int = DECOMPRESSED_MAX_BYTES) -> bytes:
    """``data`` decompressed, by the magic number it begins with; as it is if it has none.

    What follows the end of the compressed stream is left aside, because kernels append
    things to it.  Raises ``ArchiveError`` when it is damaged, cut off, or larger than
    ``most_bytes``.
    """
    name = compression_name(data)
    if name is None:
        return data
    try:
        found = _DECODERS[name](data, most_bytes + 1)
    except _DAMAGE as error:
        raise ArchiveError(f"damaged {name} data: {error}") from error
    if len(found) > most_bytes:
        raise ArchiveError(f"{name} data grows beyond {most_bytes} bytes")
    return found


def decompressed_start(data: bytes, size_bytes: int) -> bytes:
    """The first ``size_bytes`` of ``data`` decompressed, by its magic number; fewer at its end.

    Raises ``ArchiveError`` when what comes before is damaged.
    """
    name = compression_name(data)
    if name is None:
        return data[:size_bytes]
    try:
        return _DECODERS[name](data, size_bytes)[:size_bytes]
    except _DAMAGE as error:
        raise ArchiveError(f"damaged {name} data: {error}") from error


def compression_name(data: bytes) -> str | None:
    """What ``data`` is compressed with, by its magic number."""
    for magic, name in _MAGICS:
        if data.startswith(magic):
            return name
    return None


def _gunzip(data: bytes, most_bytes: int) -> bytes:
    decoder = zlib.decompressobj(wbits=31)
    found = decoder.decompress(data, most_bytes)
    if not decoder.eof and len(found) < most_bytes:
        raise EOFError("it is cut off")
    return found


def _xz(data: bytes, most_bytes: int) -> bytes:
    return _whole(lzma.LZMADecompressor(lzma.FORMAT_XZ), data, most_bytes)


def _lzma(data: bytes, most_bytes: int) -> bytes:
    return _whole(lzma.LZMADecompressor(lzma.FORMAT_ALONE), data, most_bytes)


def _bunzip2(data: bytes, most_bytes: int) -> bytes:
    return _whole(bz2.BZ2Decompressor(), data, most_bytes)


def _unzstd(data: bytes, most_bytes: int) -> bytes:
    return _whole(zstd.ZstdDecompressor(), data, most_bytes)


def _unlz4(data: bytes, most_bytes: int) -> bytes:
    return _whole(lz4.frame.LZ4FrameDecompressor(), data, most_bytes)


def _unlz4_legacy(data: bytes, most_bytes: int) -> bytes:
    blocks: list[bytes] = []
    total, position = 0, len(LZ4_LEGACY_MAGIC)
    while total < most_bytes and position + 4 < len(data):
        (size,) = struct.unpack_from("<I", data, position)
        if size > _LZ4_BLOCK_MAX_BYTES or position + 4 + size > len(data):
            raise EOFError("it is cut off")
        block = data[position + 4 : position + 4 + size]
        blocks.append(lz4.block.decompress(block, uncompressed_size=LZ4_LEGACY_BLOCK_BYTES))
        total += len(blocks[-1])
        position += 4 + size
        if len(blocks[-1]) < LZ4_LEGACY_BLOCK_BYTES:
            break
    return b"".join(blocks)


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def _whole(decoder: _Decoder, data: bytes, most_bytes: int) -> bytes:
    found = [decoder.decompress(data, most_bytes)]
    total = len(found[0])
    while not decoder.eof and total < most_bytes:
        more = decoder.decompress(b"", most_bytes - total)
        if not more:
            raise EOFError("it is cut off")
        found.append(more)
        total += len(more)
    return b"".join(found)


_DECODERS = {
    "gzip": _gunzip,
    "xz": _xz,
    "zstd": _unzstd,
    "lz4": _unlz4_legacy,
    "lz4 frame": _unlz4,
    "bzip2": _bunzip2,
    "lzma": _lzma,
}

_MAGICS = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (LZ4_LEGACY_MAGIC, "lz4"),
    (b"\x04\x22\x4d\x18", "lz4 frame"),
    (b"BZh", "bzip2"),
    (b"\x5d\0\0", "lzma"),  # its usual parameter byte and a dictionary of at least 64 KiB
)
