"""Gzip members one after the other: what Alpine's indexes and packages are made of.

A signature covers, and a checksum names, a member's *compressed* bytes, so where each begins
and ends has to be known exactly, and all of a file has to belong to one of them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from isal import isal_zlib

from bootsmith.errors import ArchiveError
from bootsmith.model.streams import CHUNK_BYTES, ByteSource, chunks

_GZIP = 16 + zlib.MAX_WBITS
_MAGIC = b"\x1f\x8b"
_STEP_BYTES = (
    8 << 20
)  # decompressed at once: a chunk of zeros would become a thousand times as much

# isal's stubs take its error class for an instance.
_ISAL_ERROR = cast("type[Exception]", isal_zlib.IsalError)


@dataclass(frozen=True, slots=True, kw_only=True)
class GzipMember:
    """Where a member stands in its file, and what it holds."""

    offset: int
    size_bytes: int
    data: bytes

    @property
    def end(self) -> int:
        return self.offset + self.size_bytes


def read_member(source: ByteSource, offset: int, *, most_bytes: int) -> GzipMember:
    """The member at ``offset``, whose content may have ``most_bytes``.

    Raises ``ArchiveError`` when there is none, and when it is damaged, cut off or larger.
    """
    if source.read_at(offset, len(_MAGIC)) != _MAGIC:
        raise ArchiveError(f"no gzip data at byte {offset}", offset=offset)
    decoder = isal_zlib.decompressobj(_GZIP)
    data = bytearray()
    position = offset
    while not decoder.eof:
        # Small steps at first: the members before the last are small.
        chunk = source.read_at(position, 1 << 16 if position == offset else CHUNK_BYTES)
        if not chunk:
            raise ArchiveError("gzip data is cut off", offset=position)
        position += len(chunk)
        rest = chunk
        while rest and not decoder.eof:
            data += _decompressed(decoder, rest, position, most_bytes + 1 - len(data))
            if len(data) > most_bytes:
                raise ArchiveError(
                    f"gzip data of more than {most_bytes} bytes, which is the most taken here",
                    offset=offset,
                )
            rest = decoder.unconsumed_tail
    end = position - len(decoder.unused_data)
    return GzipMember(offset=offset, size_bytes=end - offset, data=bytes(data))


def inflated_member(source: ByteSource, offset: int) -> Iterator[bytes]:
    """The content of the member at ``offset``, which must reach to the end of ``source``.

    Raises ``ArchiveError`` when it is damaged, cut off, or followed by anything.
    """
    decoder = isal_zlib.decompressobj(_GZIP)
    for chunk in chunks(source, offset, source.size_bytes - offset):
        if decoder.eof:
            raise ArchiveError("something follows the last gzip member", offset=offset)
        offset += len(chunk)
        rest = chunk
        while not decoder.eof:
            if found := _decompressed(decoder, rest, offset, _STEP_BYTES):
                yield found
            rest = decoder.unconsumed_tail
            if not rest and len(found) < _STEP_BYTES:
                break
        if decoder.unused_data:
            raise ArchiveError(
                "something follows the last gzip member", offset=offset - len(decoder.unused_data)
            )
    if not decoder.eof:
        raise ArchiveError("gzip data is cut off", offset=offset)


def _decompressed(
    decoder: isal_zlib.Decompress, data: bytes, offset: int, most_bytes: int
) -> bytes:
    try:
        return decoder.decompress(data, most_bytes)
    except (_ISAL_ERROR, EOFError) as error:
        raise ArchiveError(f"damaged gzip data: {error}", offset=offset) from error
