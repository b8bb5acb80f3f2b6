"""Every package of several repositories as one world, in which names stand for packages."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from bootsmith.errors import ConfigError
from bootsmith.model.digest import Digest
from bootsmith.model.similar import similar
from bootsmith.model.streams import DerivedBlobStore
from bootsmith.sources.alpine.apk_version import ApkVersion
from bootsmith.sources.alpine.index import Place
from bootsmith.sources.alpine.mirror import Repository
from bootsmith.sources.alpine.package import ApkPackage
from bootsmith.sources.alpine.repository import (
    OpenRepository,
    read_repository,
)
from bootsmith.sources.alpine.trust import Keyring
from bootsmith.sources.mirror import IndexFetcher

_PARALLEL = 8


class Provider(NamedTuple):
    """A package under one of its names; ``version`` is ``None`` where the name is virtual."""

    package: ApkPackage
    version: ApkVersion | None


def load_universe(
    repositories: Sequence[Repository],
    *,
    arch: str,
    fetchers: Mapping[str, IndexFetcher],
    store: DerivedBlobStore,
    keyring: Keyring,
    allow_unsigned: bool = False,
) -> Universe:
    """The packages of ``repositories`` for ``arch`` (apk's name), read side by side.

    ``fetchers`` are by ``Repository.mirror``.  Raises what ``read_repository`` raises, for the
    repository listed first that fails.
    """
    if not repositories:
        raise ConfigError("no Alpine repository is configured")

    def read(repository: Repository) -> OpenRepository:
        return read_repository(
            repository,
            arch=arch,
            fetcher=fetchers[repository.mirror],
            store=store,
            keyring=keyring,
            allow_unsigned=allow_unsigned,
        )

    with ThreadPoolExecutor(_PARALLEL) as workers:
        return Universe(arch, tuple(workers.map(read, repositories)))


class Universe:
    """The packages that can be installed together on one architecture.

    Paragraphs are parsed when they are first asked for, and kept.
    """

    def __init__(self, arch: str, repositories: Sequence[OpenRepository]) -> None:
        self.arch = arch
        self.repositories = tuple(repositories)
        self._parsed: dict[tuple[int, Place], ApkPackage] = {}
        self._builds: dict[Digest, ApkPackage] = {}
        self._homes: dict[ApkPackage, list[int]] = {}
        self._providers: dict[str, tuple[Provider, ...]] = {}
        self._waiting: dict[str, tuple[ApkPackage, ...]] = {}

    @property
    def unsigned(self) -> tuple[Repository, ...]:
        """The repositories that nobody signed, and that were allowed all the same."""
        return tuple(one.repository for one in self.repositories if one.signed_by is None)

    @property
    def tags(self) -> frozenset[str]:
        """The tags of repositories."""
        return frozenset(one.repository.tag for one in self.repositories if one.repository.tag)

    def providers(self, name: str) -> tuple[Provider, ...]:
        """What stands under ``name``, in the order of repositories and indexes."""
        known = self._providers.get(name)
        if known is None:
            found = (
                provider
                for number, one in enumerate(self.repositories)
                for place in one.index.providing(name)
                for provider in _under(name, self._package(number, place))
            )
            known = self._providers[name] = tuple(dict.fromkeys(found))
        return known

    def versions(self, name: str) -> tuple[ApkPackage, ...]:
        """The packages called ``name``."""
        return tuple(one.package for one in self.providers(name) if one.package.name == name)

    def waiting_for(self, name: str) -> tuple[ApkPackage, ...]:
        """The packages that come by themselves when ``name`` and perhaps others are there."""
        known = self._waiting.get(name)
        if known is None:
            found = (
                self._package(number, place)
                for number, one in enumerate(self.repositories)
                for place in one.index.waiting_for(name)
            )
            known = tuple(package for package in dict.fromkeys(found) if package.is_installable)
            self._waiting[name] = known
        return known

    def is_shared(self, name: str) -> bool:
        """Whether several packages stand under ``name``, or any waits for it."""
        found = [len(one.index.providing(name)) for one in self.repositories]
        return sum(found) > 1 or any(one.index.waiting_for(name) for one in self.repositories)

    def rank(self, package: ApkPackage) -> int:
        """The number of the first repository that holds ``package``."""
        return self._homes[package][0]

    def home(self, package: ApkPackage, tags: Collection[str] = ()) -> OpenRepository:
        """The first repository that holds ``package``, of those that ``tags`` allow if any is."""
        homes = [self.repositories[number] for number in self._homes[package]]
        for one in homes:
            if one.repository.tag is None or one.repository.tag in tags:
                return one
        return homes[0]

    def is_in(self, package: ApkPackage, tags: Collection[str | None]) -> bool:
        """Whether a repository with one of ``tags`` (``None``: with none) holds ``package``."""
        return any(self.repositories[number].repository.tag in tags
                   for number in self._homes[package])  # fmt: skip

    def similar(self, name: str, count: int = 3) -> tuple[str, ...]:
        """Names that someone who wrote ``name`` may have meant."""
        prefix, colon, _ = name.partition(":")
        every = {
            one
            for repository in self.repositories
            for one in (repository.index.provided_names() if colon else repository.index.names())
            if not colon or one.startswith(f"{prefix}:")
        }
        return tuple(similar(name, sorted(every), most=count, likeness=0.75))

    def _package(self, number: int, place: Place) -> ApkPackage:
        known = self._parsed.get((number, place))
        if known is None:
            one = self.repositories[number]
            parsed = ApkPackage.from_paragraph(
                one.index.paragraph(place), where=str(one.repository)
            )
            # The same build in two repositories is one package with two homes.
            known = self._builds.setdefault(parsed.identity, parsed)
            self._parsed[number, place] = known
            homes = self._homes.setdefault(known, [])
            if number not in homes:
                homes.append(number)
                homes.sort()
        return known


def _under(name: str, package: ApkPackage) -> list[Provider]:
    """``package`` as it stands under ``name``: by its own name before those it provides."""
    if not package.is_installable:
        return []
    if package.name == name:
        return [Provider(package, package.version)]
    return [Provider(package, one.version) for one in package.provides if one.name == name][:1]
