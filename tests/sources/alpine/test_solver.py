"""The choice of packages."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path

import pytest

from bootsmith.errors import PackageNotFound, ResolveError, VersionConflict
from bootsmith.sources.alpine.mirror import Repository
from bootsmith.sources.alpine.package import ApkPackage
from bootsmith.sources.alpine.solver import Solution, solve
from bootsmith.sources.alpine.trust import Keyring
from bootsmith.sources.alpine.universe import Universe, load_universe
from bootsmith.sources.alpine.world import parse_world
from bootsmith.store.blobs import Store
from tests.support.alpine_repository import ARCH, Apk, SigningKey, apk, repository
from tests.support.alpine_worlds import made_up
from tests.support.real_alpine import Files

KEY = SigningKey.generate()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def universe(store: Store, *repositories: tuple[str | None, list[Apk]]) -> Universe:
    """A universe of repositories, each with its tag."""
    places = [
        Repository(mirror=f"file:///{number}", tag=tag)
        for number, (tag, _) in enumerate(repositories)
    ]
    return load_universe(
        places,
        arch=ARCH,
        fetchers={
            place.mirror: Files(repository(apks, key=KEY))
            for place, (_, apks) in zip(places, repositories, strict=True)
        },
        store=store,
        keyring=Keyring({KEY.name: KEY.public}),
    )


def chosen(store: Store, apks: list[Apk], *world: str) -> list[str]:
    return names(solve(universe(store, (None, apks)), parse_world(world)))


def names(solution: Solution) -> list[str]:
    return [package.full_name for package in solution.packages]


def test_dependencies_come_first(store: Store) -> None:
    apks = [apk(name="a", depends="b c"), apk(name="b", depends="c"), apk(name="c")]
    assert chosen(store, apks, "a") == ["c-1.0-r0", "b-1.0-r0", "a-1.0-r0"]


def test_a_cycle(store: Store) -> None:
    apks = [apk(name="a", depends="b"), apk(name="b", depends="a")]
    assert chosen(store, apks, "a") == ["b-1.0-r0", "a-1.0-r0"]


VERSIONS = [
    apk(name="a", version=version) for version in ("1.0-r0", "1.10-r0", "1.9-r0", "2_rc1-r0")
]


@pytest.mark.parametrize(
    ("item", "version"),
    [("a", "2_rc1-r0"), ("a<2_alpha", "1.10-r0"), ("a~1", "1.10-r0"), ("a=1.9-r0", "1.9-r0"),
     ("a<1.9", "1.0-r0")],
)  # fmt: skip
def test_the_highest_version_that_fits(item: str, version: str, store: Store) -> None:
    assert chosen(store, VERSIONS, item) == [f"a-{version}"]


def test_two_bounds_for_one_name(store: Store) -> None:
    assert chosen(store, VERSIONS, "a>1.0-r0", "a<1.10") == ["a-1.9-r0"]


def test_a_library_with_several_providers_goes_by_its_version(store: Store) -> None:
    apks = [
        apk(name="a", depends="so:l"),
        apk(name="old", provides="so:l=1"),
        apk(name="new", provides="so:l=2"),
    ]
    assert chosen(store, apks, "a") == ["new-1.0-r0", "a-1.0-r0"]
    assert chosen(store, apks, "a", "old") == ["old-1.0-r0", "a-1.0-r0"]


def test_provider_priority(store: Store) -> None:
    apks = [
        apk(name="a", depends="sh"),
        apk(name="x", provides="sh", priority=1),
        apk(name="y", provides="sh", priority=9),
        apk(name="z", provides="sh"),
    ]
    assert chosen(store, apks, "a") == ["y-1.0-r0", "a-1.0-r0"]
    assert chosen(store, apks, "a", "z") == ["z-1.0-r0", "a-1.0-r0"]


def test_a_virtual_name_has_to_be_chosen_by_the_user(store: Store) -> None:
    apks = [
        apk(name="a", depends="mta"),
        apk(name="x", provides="mta"),
        apk(name="y", provides="mta"),
    ]
    with pytest.raises(ResolveError, match="virtual package that 2 packages provide") as caught:
        chosen(store, apks, "a")
    assert caught.value.causes == (
        "you asked for a", "a 1.0-r0 depends on mta", "it is provided by x, y",
    )  # fmt: skip
    assert chosen(store, apks, "a", "y") == ["y-1.0-r0", "a-1.0-r0"]


def test_install_if(store: Store) -> None:
    apks = [
        apk(name="a"),
        apk(name="a-doc", install_if="a=1.0-r0 docs"),
        apk(name="a-openrc", install_if="a=2.0-r0 docs"),
        apk(name="docs"),
    ]
    assert chosen(store, apks, "a") == ["a-1.0-r0"]
    assert chosen(store, apks, "a", "docs") == ["a-1.0-r0", "docs-1.0-r0", "a-doc-1.0-r0"]
    assert chosen(store, apks, "a", "docs", "!a-doc") == ["a-1.0-r0", "docs-1.0-r0"]


def test_what_would_come_by_itself_stays_away_when_it_cannot(store: Store) -> None:
    apks = [apk(name="a"), apk(name="b", install_if="a", depends="nowhere")]
    assert chosen(store, apks, "a") == ["a-1.0-r0"]


def test_a_conflict_is_no_request(store: Store) -> None:
    apks = [apk(name="a", depends="!b"), apk(name="b")]
    assert chosen(store, apks, "a") == ["a-1.0-r0"]
    assert chosen(store, apks, "!b") == []
    with pytest.raises(VersionConflict) as caught:
        chosen(store, apks, "a", "b")
    assert caught.value.causes == ("you asked for a", "not a 1.0-r0: it needs !b")


def test_what_apk_gives_up_on_is_found(store: Store) -> None:
    """apk takes b 2 and ends there; b 1 does without the package that is missing."""
    apks = [
        apk(name="a", depends="b c"),
        apk(name="b", version="2-r0", depends="d"),
        apk(name="b", version="1-r0"),
        apk(name="c", depends="!d"),
        apk(name="d"),
    ]
    assert chosen(store, apks, "a") == ["b-1-r0", "c-1.0-r0", "a-1.0-r0"]


def test_a_misspelt_package(store: Store) -> None:
    with pytest.raises(PackageNotFound, match="openshh") as caught:
        chosen(store, [apk(name="openssh")], "openshh")
    assert caught.value.hint == "did you mean openssh?"


def test_misspelt_packages_are_told_together(store: Store) -> None:
    apks = [apk(name="openssh"), apk(name="nodejs"), apk(name="a")]
    with pytest.raises(PackageNotFound, match="no packages nodjs, openshh for") as caught:
        chosen(store, apks, "openshh", "a", "!gone", "nodjs")
    assert caught.value.causes == ("you asked for nodjs, openshh",)
    assert caught.value.hint == "did you mean nodejs for nodjs, openssh for openshh?"


def test_a_package_that_misses_something(store: Store) -> None:
    with pytest.raises(ResolveError) as caught:
        chosen(store, [apk(name="a", depends="b"), apk(name="b", depends="so:gone")], "a")
    assert caught.value.causes == (
        "you asked for a",
        "a 1.0-r0 depends on b",
        "not b 1.0-r0: it needs so:gone, which no repository has",
    )


def test_a_version_nobody_has(store: Store) -> None:
    with pytest.raises(VersionConflict) as caught:
        chosen(store, [apk(name="a")], "a~2")
    assert caught.value.causes == ("you asked for a~2", "not a 1.0-r0: you asked for a~2")


def test_two_owners_of_one_library(store: Store) -> None:
    apks = [apk(name="a", provides="so:l=1"), apk(name="b", provides="so:l=1")]
    with pytest.raises(VersionConflict, match="cannot be installed together"):
        chosen(store, apks, "a", "b")


def test_tags(store: Store) -> None:
    stable = [apk(name="a"), apk(name="lib"), apk(name="x", depends="lib")]
    edge = [apk(name="a", version="2.0-r0", depends="lib>1.5"), apk(name="lib", version="2.0-r0")]
    world = universe(store, (None, stable), ("edge", edge))
    assert names(solve(world, parse_world(["a", "x"]))) == ["a-1.0-r0", "lib-1.0-r0", "x-1.0-r0"]
    pinned = solve(world, parse_world(["a@edge", "x"]))
    # What a pinned package needs may come from its repository too.
    assert names(pinned) == ["lib-2.0-r0", "a-2.0-r0", "x-1.0-r0"]
    assert pinned.tags == ("edge", "edge", None)
    with pytest.raises(VersionConflict, match=r"a>1\.5") as caught:
        solve(world, parse_world(["a>1.5"]))
    assert "only in the repository tagged @edge" in str(caught.value)
    with pytest.raises(ResolveError, match="no repository has the tag @testing") as refused:
        solve(world, parse_world(["a@testing"]))
    assert refused.value.hint == "the tags are: @edge"


def test_the_first_repository_of_two(store: Store) -> None:
    first, second = apk(name="a", files={"f": b"1"}), apk(name="a", files={"f": b"2"})
    world = universe(store, (None, [first]), (None, [second]))
    (package,) = solve(world, parse_world(["a"])).packages
    assert package.fields["C"] == first.fields["C"]


def test_the_order_of_words_makes_no_difference(store: Store) -> None:
    for seed in range(5):
        one = made_up(seed)
        world = universe(store, (None, list(one.packages)))
        for items in one.worlds:
            assert _outcome(world, items) == _outcome(world, tuple(reversed(items)))


def _outcome(world: Universe, items: tuple[str, ...]) -> object:
    try:
        return names(solve(world, parse_world(items)))
    except ResolveError as error:
        return str(error)


def test_reasons(store: Store) -> None:
    apks = [apk(name="a", depends="b"), apk(name="b"), apk(name="c", install_if="b")]
    found = solve(universe(store, (None, apks)), parse_world(["a"]))
    assert dict(zip(names(found), found.reasons, strict=True)) == {
        "a-1.0-r0": "you asked for a",
        "b-1.0-r0": "a 1.0-r0 depends on b",
        "c-1.0-r0": "c 1.0-r0 comes with b",
    }


@pytest.mark.parametrize("seed", range(12))
def test_a_solution_is_found_exactly_when_there_is_one(seed: int, store: Store) -> None:
    """Against brute force, over small worlds full of conflicts."""
    rng = random.Random(seed)
    apks = [
        apk(
            name=name,
            version=version,
            depends=" ".join(
                rng.choice(("", "", "!")) + rng.choice([one for one in "abcd" if one != name])
                + rng.choice(("", "=1-r0", ">1-r0"))
                for _ in range(rng.choice((0, 1, 2)))
            ),
            provides=rng.choice(("", "so:x=1", "so:y=1")),
        )
        for name in "abcd"
        for version in rng.sample(("1-r0", "2-r0"), rng.choice((1, 2)))
    ]  # fmt: skip
    world = universe(store, (None, apks))
    for items in (("a",), ("a", "b"), ("b", "c", "d"), ("so:x",), ("a", "so:y")):
        wanted = parse_world(items)
        try:
            found = solve(world, wanted).packages
        except ResolveError:
            assert not any(_holds(world, one, items) for one in _sets(world)), items
        else:
            assert _holds(world, found, items)


def _sets(world: Universe) -> list[tuple[ApkPackage, ...]]:
    options = [(None, *world.versions(name)) for name in "abcd"]
    return [tuple(one for one in some if one is not None) for some in product(*options)]


def _holds(world: Universe, packages: tuple[ApkPackage, ...], items: tuple[str, ...]) -> bool:
    standing: dict[str, ApkPackage] = {}
    for package in packages:
        for name in {package.name, *(one.name for one in package.provides)}:
            if name in standing:
                return False
            standing[name] = package
    demands = [*parse_world(items), *(one for package in packages for one in package.depends)]
    for demand in demands:
        there = standing.get(demand.name)
        if there is None:
            if not demand.is_conflict:
                return False
            continue
        version = next(
            provider.version for provider in world.providers(demand.name)
            if provider.package is there
        )  # fmt: skip
        if not demand.is_met_by(version):
            return False
    return True
