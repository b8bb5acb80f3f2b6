"""Finding the mirrors: what the user says, else what this machine's apt uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bootsmith.config.distributions import DebianConfig
from bootsmith.errors import ImageError
from bootsmith.host.apt_sources import read_apt_sources
from bootsmith.host.http import HttpClient
from bootsmith.plan.resolve import repositories
from bootsmith.sources.debian.apt_sources import parse_apt_sources
from bootsmith.sources.debian.mirror import DEBIAN, Mirror, choose_mirror
from bootsmith.store.blobs import Store
from bootsmith.store.fetch import Fetcher
from bootsmith.store.index_cache import IndexCache


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorChoice:
    """Chooses mirrors; asks the candidates by way of the index cache, so each is asked once."""

    store: Store
    http: HttpClient
    fetcher: Fetcher
    environment: Mapping[str, str]

    def choose(self, debian: DebianConfig, *, override: str | None) -> dict[str, Mirror]:
        """The mirror of every archive that ``debian`` needs, by the archive's name.

        ``override`` is the user's word for this build, before the config's.
        """
        sources = [
            source
            for name, content in read_apt_sources()
            for source in parse_apt_sources(name, content)
        ]
        configured = {DEBIAN: override or debian.mirror}
        return {
            repository.archive: choose_mirror(
                repository.archive,
                repository.suite,
                configured=configured.get(repository.archive, debian.security_mirror),
                environment=self.environment,
                apt_sources=sources,
                probe=self._probe,
            )
            for repository in repositories(debian)
            if not repository.suite.endswith("-updates")
        }

    def _probe(self, url: str) -> bytes | None:
        base, _, path = url.partition("/dists/")
        cache = IndexCache(base=base, store=self.store, http=self.http, fetcher=self.fetcher)
        try:
            return cache.fresh(f"dists/{path}")
        except ImageError:
            return None  # this one cannot be had; the next is asked
