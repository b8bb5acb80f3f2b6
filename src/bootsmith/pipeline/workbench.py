"""What a build works with, handed in as one value: the outside world, already decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bootsmith.host.http import HttpClient
from bootsmith.model.digest import RemoteBlob
from bootsmith.model.reporter import Reporter
from bootsmith.plan.lock import LockedPackage
from bootsmith.sandbox.choose import ChosenExecutor
from bootsmith.sources.debian.mirror import Mirror
from bootsmith.sources.debian.trust import Keyring
from bootsmith.store.blobs import Store
from bootsmith.store.fetch import Fetcher
from bootsmith.store.index_cache import IndexCache


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """``mirrors`` are by archive (``debian``, ``debian-security``).

    ``files`` is the folder that relative paths of the config are relative to.
    """

    store: Store
    http: HttpClient
    reporter: Reporter
    executor: ChosenExecutor
    fetcher: Fetcher
    mirrors: Mapping[str, Mirror]
    keyring: Keyring
    files: Path
    now: datetime
    allow_unsigned: bool = False

    def index_caches(self) -> dict[str, IndexCache]:
        """What reads the indexes of each mirror."""
        return {
            archive: IndexCache(
                base=mirror.url, store=self.store, http=self.http, fetcher=self.fetcher
            )
            for archive, mirror in self.mirrors.items()
        }

    def remote(self, package: LockedPackage) -> RemoteBlob:
        """Where ``package`` can be had from."""
        url = f"{self.mirrors[package.mirror].url}/{package.path}"
        return RemoteBlob(descriptor=package.descriptor, urls=(url,))
