"""Blobs in memory: a real blob store for tests that need no disk."""

from __future__ import annotations

from collections.abc import Iterable

from bootsmith.errors import ImageError, IntegrityError
from bootsmith.model.digest import Descriptor, Digest
from bootsmith.model.streams import BytesSource


class MemoryBlobs:
    def __init__(self) -> None:
        self._blobs: dict[Digest, bytes] = {}

    def add_blob(self, data: Iterable[bytes], *, expected: Descriptor | None = None) -> Descriptor:
        whole = b"".join(data)
        digest = Digest.of(whole)
        if expected is not None and expected.digest != digest:
            raise IntegrityError(
                "not what was promised", expected=str(expected.digest), actual=str(digest)
            )
        self._blobs[digest] = whole
        return Descriptor(digest=digest, size_bytes=len(whole))

    def add(self, data: bytes) -> Digest:
        return self.add_blob([data]).digest

    def open_blob(self, blob: Digest) -> BytesSource:
        if blob not in self._blobs:
            raise ImageError(f"no blob {blob}")
        return BytesSource(self._blobs[blob])
