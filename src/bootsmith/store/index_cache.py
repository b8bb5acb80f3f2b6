"""Indexes of package repositories: revalidated each time, never merely assumed fresh.

Keyed by their whole address, so that two mirrors are two entries.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from bootsmith.errors import FetchError, ImageError
from bootsmith.host.files import FileSource
from bootsmith.host.http import HttpClient
from bootsmith.model.digest import Descriptor, Digest, RemoteBlob
from bootsmith.store.blobs import Store
from bootsmith.store.fetch import Fetcher

_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexCache:
    """The indexes of one mirror at ``base`` (an address without a slash at its end)."""

    base: str
    store: Store
    http: HttpClient
    fetcher: Fetcher

    def address(self, path: str) -> str:
        """Where the file at ``path`` is asked for."""
        return f"{self.base}/{path}"

    def fresh(self, path: str) -> bytes:
        """The file at ``path`` as the mirror has it now; offline, as it was last seen.

        Raises ``FetchError`` when the mirror does not answer: an old index is not passed off
        as a new one.
        """
        url = self.address(path)
        records = self.store.indexes
        key = Digest.of(url.encode()).hex
        validators, body = self._remembered(records.read(key))
        if self.fetcher.offline:
            if body is None:
                raise ImageError(f"{url} was never fetched", hint="build once without --offline")
            return body
        with self.http.get(url, headers=validators if body is not None else {}) as answer:
            if answer.status == 304 and body is not None:
                return body
            data = bytearray()
            for chunk in answer.body:
                data += chunk
                if len(data) > _MOST_BYTES:
                    raise FetchError(f"{url} sent more than {_MOST_BYTES} bytes", url=url)
            fresh_validators = {
                asked: answer.headers[told]
                for asked, told in (
                    ("If-None-Match", "etag"),
                    ("If-Modified-Since", "last-modified"),
                )
                if told in answer.headers
            }
        kept = self.store.add_blob([bytes(data)])
        entry = {"url": url, "validators": fresh_validators, "digest": str(kept.digest)}
        records.write(key, json.dumps(entry, sort_keys=True).encode())
        return bytes(data)

    def blob(self, paths: Sequence[str], expected: Descriptor) -> FileSource:
        """The file with the digest ``expected``, found under the first of ``paths`` that has it."""
        urls = tuple(map(self.address, paths))
        self.fetcher.fetch([RemoteBlob(descriptor=expected, urls=urls)])
        return self.store.open_blob(expected.digest)

    def _remembered(self, record: bytes | None) -> tuple[dict[str, str], bytes | None]:
        if record is None:
            return {}, None
        try:
            entry = json.loads(record)
            digest = Digest.parse(entry["digest"])
            validators = {str(name): str(value) for name, value in entry["validators"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, ImageError):
            return {}, None  # damaged: ask for the whole index again
        if not self.store.has(digest):
            return {}, None
        source = self.store.open_blob(digest)
        return validators, source.read_at(0, source.size_bytes)
