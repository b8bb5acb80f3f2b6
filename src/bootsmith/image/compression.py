"""Compressing streams in the forms the kernel unpacks.

LZ4 is written as its *legacy frame*, the only one that the kernel's ``lib/decompress_unlz4.c``
reads (lz4_Frame_format.md, "Legacy frame").
"""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Callable
from enum import Enum
from typing import Protocol, cast

import lz4.block

from bootsmith.errors import ConfigError, Problem
from bootsmith.model.streams import ByteSink, ByteSource, chunks
from bootsmith.model.zstd import zstd

LZ4_LEGACY_MAGIC = struct.pack("<I", 0x184C2102)
LZ4_LEGACY_BLOCK_BYTES = 8 << 20  # the kernel's buffer: every block but the last is this long

_ZEROS = bytes(1 << 16)


class Compression(Enum):
    """How a stream is compressed.  The value is the name in configurations and manifests."""

    NONE = "none"
    LZ4 = "lz4"
    GZIP = "gzip"
    XZ = "xz"
    ZSTD = "zstd"

    @classmethod
    def parse(cls, name: str) -> Compression:
        """Raises ``ConfigError`` for a name that is none of the values."""
        try:
            return cls(name)
        except ValueError:
            raise ConfigError(
                f"unknown compression {name!r}",
                problems=(
                    Problem(
                        pointer="",
                        message=f"{name!r} is not a compression bootsmith writes",
                        suggestion="use one of: " + ", ".join(item.value for item in cls),
                    ),
                ),
            ) from None


class CompressingSink:
    """A sink whose bytes reach ``sink`` compressed, once ``finish`` has been called.

    The settings are fixed, so that the same bytes go in and come out everywhere: LZ4 at level
    9 of its high-compression mode, gzip 9 without name and time, xz 6 with the CRC-32 the
    kernel wants and no filter of one architecture, zstd 19 with its length unknown.
    """

    def __init__(self, sink: ByteSink, compression: Compression) -> None:
        self._sink = sink
        self._encoder = _ENCODERS[compression]()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._emit(self._encoder.compress(data))

    def skip(self, size_bytes: int) -> None:
        while size_bytes:
            size = min(size_bytes, len(_ZEROS))
            self.write(_ZEROS[:size])
            size_bytes -= size

    def copy_from(self, source: ByteSource, offset: int, size_bytes: int) -> None:
        for chunk in chunks(source, offset, size_bytes):
            self.write(chunk)

    def finish(self) -> None:
        """Write what is still held back."""
        self._emit(self._encoder.flush())

    def _emit(self, data: bytes) -> None:
        if data:
            self._sink.write(data)


def compressed(data: bytes, compression: Compression) -> bytes:
    """``data`` compressed as ``CompressingSink`` does it."""
    encoder = _ENCODERS[compression]()
    return encoder.compress(data) + encoder.flush()


class _Encoder(Protocol):
    def compress(self, data: bytes | bytearray | memoryview, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _Plain:
    def compress(self, data: bytes | bytearray | memoryview) -> bytes:
        return bytes(data)

    def flush(self) -> bytes:
        return b""


class _Lz4Legacy:
    """Blocks of 8 MiB, each preceded by its compressed length; no end mark, no checksum."""

    def __init__(self) -> None:
        self._block = bytearray()
        self._started = False

    def compress(self, data: bytes | bytearray | memoryview) -> bytes:
        self._block += data
        written = []
        while len(self._block) >= LZ4_LEGACY_BLOCK_BYTES:
            written.append(self._compress_block())
        return b"".join(written)

    def flush(self) -> bytes:
        if self._block or not self._started:
            return self._compress_block()
        return b""

    def _compress_block(self) -> bytes:
        block = bytes(self._block[:LZ4_LEGACY_BLOCK_BYTES])
        del self._block[:LZ4_LEGACY_BLOCK_BYTES]
        magic = b"" if self._started else LZ4_LEGACY_MAGIC
        self._started = True
        if not block:
            return magic
        data = lz4.block.compress(block, mode="high_compression", compression=9, store_size=False)
        return magic + struct.pack("<I", len(data)) + cast("bytes", data)


class _Zstd:
    def __init__(self) -> None:
        self._compressor = zstd.ZstdCompressor(level=19)

    def compress(self, data: bytes | bytearray | memoryview) -> bytes:
        return self._compressor.compress(data)

    def flush(self) -> bytes:
        return self._compressor.flush(zstd.ZstdCompressor.FLUSH_FRAME)


def _gzip_encoder() -> _Encoder:
    return zlib.compressobj(level=9, wbits=31)


def _xz_encoder() -> _Encoder:
    return lzma.LZMACompressor(lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, preset=6)


_ENCODERS: dict[Compression, Callable[[], _Encoder]] = {
    Compression.NONE: _Plain,
    Compression.LZ4: _Lz4Legacy,
    Compression.GZIP: _gzip_encoder,
    Compression.XZ: _xz_encoder,
    Compression.ZSTD: _Zstd,
}
