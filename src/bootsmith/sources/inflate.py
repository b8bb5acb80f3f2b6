"""Decompressing archives while they are read: those of packages, and those of images."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, cast

from isal import isal_zlib

from bootsmith.errors import ArchiveError
from bootsmith.model.zstd import zstd

_GZIP = 16 + zlib.MAX_WBITS


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


_DECODERS: dict[str, Callable[[], _Decoder]] = {
    ".xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ),
    ".lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE),
    ".gz": lambda: isal_zlib.decompressobj(_GZIP),
    ".zst": zstd.ZstdDecompressor,
}

# isal's stubs take its error class for an instance.
_ISAL_ERROR = cast("type[Exception]", isal_zlib.IsalError)
_DAMAGED = (lzma.LZMAError, _ISAL_ERROR, zstd.ZstdError, EOFError)

# Fed at once.  What is made of it is in memory: of zeros, a thousand to ten thousand times as much.
_PIECE_BYTES = 16 << 10

SUFFIXES = ("", *_DECODERS)


def inflated(data: Iterable[bytes], suffix: str) -> Iterator[bytes]:
    """``data`` decompressed as files of that suffix are; all of it, to its end.

    Raises ``ArchiveError`` when it is damaged, cut off, or followed by something else.
    """
    if not suffix:
        yield from data
        return
    decoder = _DECODERS[suffix]()
    fresh = False  # whether ``decoder`` stands before the next of several streams
    for piece in _pieces(data):
        rest = piece
        while rest:
            if decoder.eof:
                decoder, fresh = _DECODERS[suffix](), True
            try:
                found = decoder.decompress(rest)
            except _DAMAGED as error:
                raise ArchiveError(f"damaged {suffix} data: {error}") from error
            fresh = False
            if found:
                yield found
            rest = decoder.unused_data if decoder.eof else b""
    if not decoder.eof and not fresh:
        raise ArchiveError(f"{suffix} data is cut off")


def _pieces(data: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in data:
        for start in range(0, len(chunk), _PIECE_BYTES):
            yield chunk[start : start + _PIECE_BYTES]
