"""Asking mirrors: for each file once a build, whichever mirror it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bootsmith.errors import ImageError
from bootsmith.host.files import FileSource
from bootsmith.host.http import HttpClient
from bootsmith.model.digest import Descriptor
from bootsmith.store.blobs import Store
from bootsmith.store.fetch import Fetcher
from bootsmith.store.index_cache import IndexCache


class AskedOnce:
    """The indexes of one mirror; what it said once this build is what it said."""

    def __init__(self, cache: IndexCache) -> None:
        self._cache = cache
        self._said: dict[str, bytes] = {}

    def address(self, path: str) -> str:
        """See ``IndexCache.address``."""
        return self._cache.address(path)

    def fresh(self, path: str) -> bytes:
        """See ``IndexCache.fresh``."""
        if path not in self._said:
            self._said[path] = self._cache.fresh(path)
        return self._said[path]

    def blob(self, paths: Sequence[str], expected: Descriptor) -> FileSource:
        """See ``IndexCache.blob``."""
        return self._cache.blob(paths, expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorAccess:
    """What it takes to find mirrors and to ask them.

    ``override`` is the user's word for this build, before the config's.
    """

    store: Store
    http: HttpClient
    fetcher: Fetcher
    environment: Mapping[str, str]
    override: str | None = None

    def indexes(self, base: str) -> AskedOnce:
        """The indexes of the mirror at ``base``."""
        cache = IndexCache(base=base, store=self.store, http=self.http, fetcher=self.fetcher)
        return AskedOnce(cache)


def unknown_mirror(role: str) -> ImageError:
    """A lock names a mirror that its config does not."""
    return ImageError(
        f"the lock names packages from {role}, which the config does not",
        hint="build once without --locked to make a new lock",
    )
