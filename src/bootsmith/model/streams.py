"""The two shapes in which bytes travel between rooms.

Only ``host`` opens files; every other room is handed a ``ByteSource`` to read from or a
``ByteSink`` to write to, and works the same on a file, a mapping or a buffer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from bootsmith.errors import ArchiveError
from bootsmith.model.digest import Descriptor, Digest

CHUNK_BYTES = 1 << 20


class ByteSource(Protocol):
    """Bytes that can be read at any position."""

    @property
    def size_bytes(self) -> int: ...

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; fewer only at the end."""
        ...


class BlobSource(Protocol):
    """Where the content of blobs comes from (the store, or a dictionary in a test)."""

    def open_blob(self, blob: Digest) -> ByteSource:
        """Raises ``ImageError`` when the blob is not there."""
        ...


class BlobStore(BlobSource, Protocol):
    """Where blobs are kept."""

    def add_blob(self, data: Iterable[bytes], *, expected: Descriptor | None = None) -> Descriptor:
        """Keep the concatenation of ``data`` and tell its SHA-256 digest and size.

        Raises ``IntegrityError``, and keeps nothing, when it is not what ``expected`` says.
        """
        ...


class DerivedBlobStore(BlobStore, Protocol):
    """Where blobs are kept, and what was made from what is remembered."""

    def derived(self, kind: str, key: Digest) -> Descriptor | None:
        """What was recorded under ``kind`` for ``key``, if it is still there."""
        ...

    def record_derived(self, kind: str, key: Digest, descriptor: Descriptor) -> None: ...


class ByteSink(Protocol):
    """An output written once, front to back, which may have holes."""

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def skip(self, size_bytes: int) -> None:
        """Leave a hole that reads as zeros."""
        ...

    def copy_from(self, source: ByteSource, offset: int, size_bytes: int) -> None:
        """Copy a range of ``source``, by the fastest way the host has."""
        ...


class BytesSource:
    """A ``ByteSource`` over bytes in memory."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._view = memoryview(data)

    @property
    def size_bytes(self) -> int:
        return len(self._view)

    def read_at(self, offset: int, size: int) -> bytes:
        return bytes(self._view[offset : offset + size])


class ReadAhead:
    """A ``ByteSource`` for readers that go through ``source`` front to back, close together.

    They ask for a few hundred bytes at a time; ``source`` is asked for a chunk.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._window = b""
        self._start = 0
        self.size_bytes = source.size_bytes

    def read_at(self, offset: int, size: int) -> bytes:
        skipped = offset - self._start
        if skipped < 0 or skipped + size > len(self._window):
            if size >= CHUNK_BYTES:
                return self._source.read_at(offset, size)
            self._window = self._source.read_at(offset, CHUNK_BYTES)
            self._start, skipped = offset, 0
        return self._window[skipped : skipped + size]


class BytesSink:
    """A ``ByteSink`` that keeps everything in memory; for small outputs."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.data += data

    def skip(self, size_bytes: int) -> None:
        self.data += bytes(size_bytes)

    def copy_from(self, source: ByteSource, offset: int, size_bytes: int) -> None:
        for chunk in chunks(source, offset, size_bytes):
            self.data += chunk


def bounded(data: Iterable[bytes], most_bytes: int, what: str) -> Iterator[bytes]:
    """``data``.  Raises ``ArchiveError``, about ``what``, as soon as it is over ``most_bytes``."""
    taken = 0
    for chunk in data:
        taken += len(chunk)
        if taken > most_bytes:
            raise ArchiveError(f"{what} is more than {most_bytes} bytes")
        yield chunk


def chunks(source: ByteSource, offset: int, size_bytes: int) -> Iterator[bytes]:
    """``size_bytes`` bytes of ``source`` from ``offset``, at most 1 MiB at a time.

    Raises ``ArchiveError`` when the source ends before.
    """
    end = offset + size_bytes
    while offset < end:
        chunk = source.read_at(offset, min(CHUNK_BYTES, end - offset))
        if not chunk:
            raise ArchiveError(f"{end - offset} bytes are missing at the end", offset=offset)
        yield chunk
        offset += len(chunk)
