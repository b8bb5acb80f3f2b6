"""Which mirrors a build of Debian asks: found when the first is needed."""

from __future__ import annotations

from functools import cached_property

from bootsmith.config.distributions import DebianConfig
from bootsmith.host.apt_sources import read_apt_sources
from bootsmith.pipeline.mirrors import AskedOnce, MirrorAccess, unknown_mirror
from bootsmith.plan.debian import repositories
from bootsmith.sources.debian.apt_sources import parse_apt_sources
from bootsmith.sources.debian.mirror import DEBIAN, choose_mirror
from bootsmith.sources.mirror import Mirror


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
            repository.archive: choose_mirror(
                repository.archive,
                repository.suite,
                configured=configured.get(repository.archive, debian.security_mirror),
                environment=self._access.environment,
                apt_sources=sources,
                probe=self._probe,
            )
            for repository in repositories(debian)
            if not repository.suite.endswith("-updates")
        }

    def url(self, role: str) -> str:
        """The address of the mirror that a lock calls ``role``.  Raises ``ImageError`` for one
        that is none of the config's."""
        if role not in self.by_archive:
            raise unknown_mirror(role)
        return self.by_archive[role].url

    def indexes(self) -> dict[str, AskedOnce]:
        """The indexes of each mirror, by its role."""
        return {role: self._at(mirror.url) for role, mirror in self.by_archive.items()}

    def _probe(self, url: str) -> bytes:
        base, _, path = url.partition("/dists/")
        return self._at(base).fresh(f"dists/{path}")

    def _at(self, base: str) -> AskedOnce:
        return self._indexes.setdefault(base, self._access.indexes(base))
