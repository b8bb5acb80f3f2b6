"""The solver's choices are apt's and mmdebstrap's, over hundreds of worlds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bootsmith.errors import FetchError, ResolveError
from bootsmith.host.apt_sources import read_apt_sources
from bootsmith.host.http import HttpClient
from bootsmith.model.reporter import Silent
from bootsmith.sources.debian.apt_sources import parse_apt_sources
from bootsmith.sources.debian.archive import Repository
from bootsmith.sources.debian.mirror import DEBIAN, choose_mirror
from bootsmith.sources.debian.package import DebianPackage
from bootsmith.sources.debian.request import BaseSet, Request
from bootsmith.sources.debian.solver import solve
from bootsmith.sources.debian.trust import debian_keyring
from bootsmith.sources.debian.universe import Universe, load_universe
from bootsmith.store.blobs import Store
from bootsmith.store.fetch import Fetcher
from bootsmith.store.index_cache import IndexCache
from tests.support.apt_root import AptRoot
from tests.support.debian_universe import (
    is_installable,
    packages_text,
    suite_of_text,
    universe,
)
from tests.support.debian_worlds import made_up_worlds, neighbourhood, random_requests
from tests.support.judges import unavailable

SUITE = "bookworm"
WORLDS = 120
BASES = 12


def ours(world: Universe, *wanted: str, base: BaseSet = BaseSet.NOTHING) -> set[str] | None:
    try:
        solution = solve(world, Request.parse(wanted, base=base))
    except ResolveError:
        return None
    return {package.name for package in solution.packages}


@pytest.mark.judge
@pytest.mark.parametrize(("seed", "conflicts"), [(1, 0.0), (2, 0.2), (3, 0.5)])
def test_made_up_worlds(tmp_path: Path, seed: int, conflicts: float) -> None:
    worlds = made_up_worlds(seed, count=60, conflicts=conflicts)
    apt = AptRoot(tmp_path, packages_text(worlds.packages))
    world = universe(worlds.packages)
    different = 0
    for request in worlds.requests:
        expected, found = apt.install(*request), ours(world, *request)
        if found is None:
            assert expected is None, request
        elif found != expected:
            # Where packages conflict, apt's problem resolver sometimes gives up, or removes
            # what it has chosen; then ours has to be right by itself.
            assert is_installable(found, world), request
            different += 1
    assert different <= (2 if conflicts else 0)


@pytest.mark.judge
def test_the_judge_sees_a_difference(tmp_path: Path) -> None:
    """Sabotage: apt looks at another world than ours, and answers otherwise."""
    ours_has = {"a": "Depends: b | c", "b": "", "c": ""}
    apt_has = {"a": "Depends: c | b", "b": "", "c": ""}
    apt = AptRoot(tmp_path, packages_text(apt_has))
    assert apt.install("a") == {"a", "c"}
    assert apt.install("a") != ours(universe(ours_has), "a")
    assert apt.install("nowhere") is None


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Universe:
    """All of a Debian release, from the mirror this machine would use."""
    http = HttpClient()
    sources = [one for file in read_apt_sources() for one in parse_apt_sources(*file)]

    mirror = choose_mirror(
        DEBIAN, SUITE, configured=None, environment={}, apt_sources=sources, probe=http.read
    )
    store = Store(tmp_path_factory.mktemp("store"))
    fetcher = Fetcher(store=store, http=http, reporter=Silent())
    cache = IndexCache(base=mirror.url, store=store, http=http, fetcher=fetcher)
    try:
        return load_universe(
            [Repository(archive=DEBIAN, suite=SUITE)],
            arch="amd64",
            fetchers={DEBIAN: cache},
            store=store,
            keyring=debian_keyring(),
            now=datetime.now(UTC),
        )
    except FetchError as error:
        unavailable(f"no Debian mirror: {error}")


@pytest.mark.judge
@pytest.mark.network
def test_real_packages(debian: Universe, tmp_path: Path) -> None:
    """Random requests to a real release.

    apt needs a second or two for each request to a whole release, so both sides are given the
    part of it that these requests, and those for a base system, can reach.
    """
    names = sorted({name for index in debian.suites[0].indexes for name in index.names()})
    requests = random_requests(12, names, WORLDS)
    chosen: dict[str, DebianPackage] = {}
    for request in ((), *requests):
        solution = solve(debian, Request.parse(request))
        chosen |= {package.name: package for package in solution.packages}
    part = neighbourhood(debian, list(chosen.values()))
    paragraphs = {package.name: _paragraph(debian, package) for package in part}
    text = b"\n".join(paragraphs.values())
    world = universe(suite_of_text(text))
    apt = AptRoot(tmp_path, text)
    for request in requests:
        assert ours(world, *request) == apt.install(*request), request
    essential = ours(world, base=BaseSet.ESSENTIAL)
    assert essential is not None
    assert essential == apt.install("?essential")
    # mmdebstrap's second step: the essential packages are there, the others come to them.
    apt.set_installed(paragraphs[name] for name in sorted(essential))
    for request in [("openssh-server",), *requests[:BASES]]:
        more = apt.install(*request, "?and(?priority(required),?not(?essential))")
        whole = None if more is None else essential | more
        assert ours(world, *request, base=BaseSet.REQUIRED) == whole, request


def _paragraph(world: Universe, package: DebianPackage) -> bytes:
    """What the index says of ``package``, without its long fields."""
    (fields,) = [
        fields
        for suite in world.suites
        for index in suite.indexes
        for fields in index.named(package.name)
        if fields["Version"] == str(package.version)
    ]
    lines = [f"{name}: {value}\n" for name, value in fields.items() if "\n" not in value]
    return "".join(lines).encode()
