"""Every package of several suites as one world, in which a name means one package.

Which version a name means follows apt's defaults (apt_preferences(5)): the suite with the
higher priority, then the higher version, then the repository listed first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from bootsmith.errors import ConfigError
from bootsmith.model.similar import similar
from bootsmith.model.streams import DerivedBlobStore
from bootsmith.sources.debian.archive import ArchiveFetcher, Repository, Suite, read_suite
from bootsmith.sources.debian.control import Paragraph
from bootsmith.sources.debian.package import DebianPackage
from bootsmith.sources.debian.relation import Relation
from bootsmith.sources.debian.trust import Keyring

_PARALLEL = 8
_PRIORITIES = ("required", "important", "standard", "optional", "extra")


def load_universe(
    repositories: Sequence[Repository],
    *,
    arch: str,
    fetchers: Mapping[str, ArchiveFetcher],
    store: DerivedBlobStore,
    keyring: Keyring,
    now: datetime,
    allow_unsigned: bool = False,
) -> Universe:
    """The packages of ``repositories`` for ``arch`` (dpkg's name), read side by side.

    ``fetchers`` maps each archive's key to what fetches from its mirror.  Raises what
    ``read_suite`` raises, for the repository listed first that fails.
    """
    if not repositories:
        raise ConfigError("no Debian repository is configured")

    def read(repository: Repository) -> Suite:
        return read_suite(
            repository,
            arch=arch,
            fetcher=fetchers[repository.archive],
            store=store,
            keyring=keyring,
            now=now,
            allow_unsigned=allow_unsigned,
        )

    with ThreadPoolExecutor(_PARALLEL) as workers:
        return Universe(arch, tuple(workers.map(read, repositories)))


class Universe:
    """The packages that can be installed together on one architecture.

    Paragraphs are parsed when they are first asked for, and kept.
    """

    def __init__(self, arch: str, suites: Sequence[Suite]) -> None:
        self.arch = arch
        self.suites = tuple(suites)
        self._pins: dict[str, DebianPackage] = {}
        self._versions: dict[str, tuple[DebianPackage, ...]] = {}
        self._providers: dict[str, tuple[DebianPackage, ...]] = {}

    @property
    def unsigned(self) -> tuple[Repository, ...]:
        """The repositories that nobody signed, and that were allowed all the same."""
        return tuple(suite.repository for suite in self.suites if not suite.trusted.is_signed)

    def versions(self, name: str) -> tuple[DebianPackage, ...]:
        """Every version of a package, the preferred one first."""
        if name not in self._versions:
            found = [
                (suite.release.pin, package)
                for suite in self.suites
                for index in suite.indexes
                for package in self._packages(suite, index.named(name))
            ]
            # The sort is stable: of equal versions, the one listed first stays first.
            found.sort(key=lambda one: (one[0], one[1].version), reverse=True)
            self._versions[name] = tuple(package for _, package in found)
        return self._versions[name]

    def candidate(self, name: str) -> DebianPackage | None:
        """The version that the bare name means."""
        if name in self._pins:
            return self._pins[name]
        versions = self.versions(name)
        return versions[0] if versions else None

    def pinned(self, packages: Iterable[DebianPackage]) -> Universe:
        """This universe with these packages as the candidates of their names."""
        other = Universe(self.arch, self.suites)
        other._versions = self._versions  # the same files, parsed once
        other._pins = {**self._pins, **{package.name: package for package in packages}}
        return other

    def is_from(self, package: DebianPackage, suite: str) -> bool:
        """Whether ``package`` was found in the suite of that name or codename."""
        return any(
            one.repository.archive == package.archive
            and one.repository.suite == package.suite
            and (suite == package.suite or one.release.is_named(suite))
            for one in self.suites
        )

    def providers(self, name: str) -> tuple[DebianPackage, ...]:
        """The candidates that provide ``name``, in the order apt prefers them."""
        if name not in self._providers:
            names = {
                provider
                for suite in self.suites
                for index in suite.indexes
                for provider in index.providing(name)
            }
            found = [
                package
                for package in self._candidates(names)
                if any(provided.name == name for provided in package.provides)
            ]
            found.sort(key=self._preference)
            self._providers[name] = tuple(found)
        return self._providers[name]

    def essential(self) -> tuple[DebianPackage, ...]:
        """The candidates that are essential, sorted by name."""
        return tuple(one for one in self._marked("essential") if one.essential)

    def of_priority(self, priority: str) -> tuple[DebianPackage, ...]:
        """The candidates of a priority (``required``, ``important``, ``standard``), sorted."""
        return tuple(one for one in self._marked(priority) if one.priority == priority)

    def targets(self, relation: Relation) -> Iterator[DebianPackage]:
        """The candidates that fulfil ``relation``: the package itself, then its providers."""
        package = self.candidate(relation.name)
        if package is not None and fulfils(package, relation, self.arch):
            yield package
        for provider in self.providers(relation.name):
            if provider.name != relation.name and fulfils(provider, relation, self.arch):
                yield provider

    def similar(self, name: str, count: int = 3) -> tuple[str, ...]:
        """Names of packages that someone who wrote ``name`` may have meant."""
        every = sorted(
            {one for suite in self.suites for index in suite.indexes for one in index.names()}
        )
        return tuple(similar(name, every, most=count, likeness=0.75))

    def _marked(self, mark: str) -> Iterator[DebianPackage]:
        names = {
            name for suite in self.suites for index in suite.indexes for name in index.marked(mark)
        }
        return self._candidates(names)

    def _candidates(self, names: Iterable[str]) -> Iterator[DebianPackage]:
        return (package for name in sorted(names) if (package := self.candidate(name)) is not None)

    def _preference(self, package: DebianPackage) -> tuple[bool, int, list[int]]:
        """How apt compares providers: essential, by priority, and then the one it met last."""
        priority = package.priority
        rank = _PRIORITIES.index(priority) if priority in _PRIORITIES else len(_PRIORITIES)
        indexes = (index for suite in self.suites for index in suite.indexes)
        met = next(
            (
                [-number, -place]
                for number, index in enumerate(indexes)
                if (place := index.rank(package.name)) is not None
            ),
            [],
        )
        return not package.essential, rank, met

    def _packages(self, suite: Suite, found: Iterable[Paragraph]) -> Iterator[DebianPackage]:
        for paragraph in found:
            package = DebianPackage.from_paragraph(
                paragraph, archive=suite.repository.archive, suite=suite.repository.suite
            )
            if package.architecture in (self.arch, "all"):
                yield package


def fulfils(package: DebianPackage, relation: Relation, arch: str) -> bool:
    """Whether ``package``, by its name or by what it provides, is what ``relation`` means.

    In an image of one architecture ``name:any`` asks for a package that allows it, and
    ``name:<arch>`` for that architecture (dpkg's multiarch specification).
    """
    if relation.name == package.name and relation.admits(package.version):
        return _qualifier_fits(package, relation.qualifier, arch)
    return any(
        provided.name == relation.name and relation.admits(provided.version)
        for provided in package.provides
    ) and _qualifier_fits(package, relation.qualifier, arch)


def _qualifier_fits(package: DebianPackage, qualifier: str, arch: str) -> bool:
    if qualifier in ("", "native"):
        return True
    if qualifier == "any":
        return package.multi_arch == "allowed"
    return qualifier == (arch if package.architecture == "all" else package.architecture)
