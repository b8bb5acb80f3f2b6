"""Which mirrors a build asks: found when the first is needed, and asked for each file once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bootsmith.config.distributions import AlpineConfig, DebianConfig
from bootsmith.errors import ImageError
from bootsmith.host.apt_sources import read_apt_sources
from bootsmith.host.files import FileSource
from bootsmith.host.http import HttpClient
from bootsmith.model.digest import Descriptor
from bootsmith.plan.alpine import repositories as alpine_repositories
from bootsmith.plan.debian import repositories as debian_repositories
from bootsmith.sources.alpine.mirror import ALPINE
from bootsmith.sources.alpine.mirror import choose_mirror as choose_alpine_mirror
from bootsmith.sources.debian.apt_sources import parse_apt_sources
from bootsmith.sources.debian.mirror import DEBIAN
from bootsmith.sources.debian.mirror import choose_mirror as choose_debian_mirror
from bootsmith.sources.mirror import Mirror
from bootsmith.store.blobs import Store
from bootsmith.store.fetch import Fetcher
from bootsmith.store.index_cache import IndexCache


class AskedOnce:
    """The indexes of one mirror; what it said once this build is what it said."""

    def __init__(self, cache: IndexCache) -> None:
        self._cache = cache
        self._said: dict[str, bytes] = {}

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


class AlpineMirrors:
    """Alpine's own mirror, and the repositories that the config names by their address."""

    def __init__(self, alpine: AlpineConfig, access: MirrorAccess) -> None:
        self._alpine = alpine
        self._access = access

    @cached_property
    def own(self) -> Mirror:
        """The mirror of Alpine itself.  Raises ``ConfigError`` for one that is no address."""
        return choose_alpine_mirror(
            configured=self._access.override or self._alpine.mirror,
            environment=self._access.environment,
        )

    def url(self, role: str) -> str:
        """The address of the mirror that a lock calls ``role``.  Raises ``ImageError`` for one
        that is none of the config's."""
        if role not in self._roles:
            raise _unknown(role)
        return self.own.url if role == ALPINE else role

    def indexes(self) -> dict[str, AskedOnce]:
        """The indexes of each mirror, by its role."""
        return {role: self._access.indexes(self.url(role)) for role in sorted(self._roles)}

    @cached_property
    def _roles(self) -> frozenset[str]:
        return frozenset(one.mirror for one in alpine_repositories(self._alpine))


class DebianMirrors:
    """The mirror of every archive that a Debian config needs."""

    def __init__(self, debian: DebianConfig, access: MirrorAccess) -> None:
        self._debian = debian
        self._access = access
        self._indexes: dict[str, AskedOnce] = {}  # by address: a mirror may be probed before

    @cached_property
    def by_archive(self) -> dict[str, Mirror]:
        """By the archive's name.  Raises ``ConfigError`` for one that is no address."""
        debian = self._debian
        sources = [
            source
            for name, content in read_apt_sources()
            for source in parse_apt_sources(name, content)
        ]
        configured = {DEBIAN: self._access.override or debian.mirror}
        return {
            repository.archive: choose_debian_mirror(
                repository.archive,
                repository.suite,
                configured=configured.get(repository.archive, debian.security_mirror),
                environment=self._access.environment,
                apt_sources=sources,
                probe=self._probe,
            )
            for repository in debian_repositories(debian)
            if not repository.suite.endswith("-updates")
        }

    def url(self, role: str) -> str:
        """The address of the mirror that a lock calls ``role``.  Raises ``ImageError`` for one
        that is none of the config's."""
        if role not in self.by_archive:
            raise _unknown(role)
        return self.by_archive[role].url

    def indexes(self) -> dict[str, AskedOnce]:
        """The indexes of each mirror, by its role."""
        return {role: self._at(mirror.url) for role, mirror in self.by_archive.items()}

    def _probe(self, url: str) -> bytes:
        base, _, path = url.partition("/dists/")
        return self._at(base).fresh(f"dists/{path}")

    def _at(self, base: str) -> AskedOnce:
        return self._indexes.setdefault(base, self._access.indexes(base))


def _unknown(role: str) -> ImageError:
    return ImageError(
        f"the lock names packages from {role}, which the config does not",
        hint="build once without --locked to make a new lock",
    )
