from __future__ import annotations

import pytest

from bootsmith.sources.debian.relation import parse_clauses
from tests.support.debian_universe import suite_of, universe


def versions(*suites: object, name: str = "a") -> list[str]:
    return [f"{one.version} {one.suite}" for one in universe(*suites).versions(name)]  # type: ignore[arg-type]


def test_the_highest_version_wins() -> None:
    assert versions(
        suite_of({"a=1.9": ""}, name="stable"), suite_of({"a=1.10": ""}, name="updates")
    ) == ["1.10 updates", "1.9 stable"]


def test_of_equal_versions_the_first_listed_wins() -> None:
    one, two = suite_of({"a": ""}, name="one"), suite_of({"a": ""}, name="two")
    assert versions(one, two) == ["1 one", "1 two"]
    assert versions(two, one) == ["1 two", "1 one"]


def test_a_suite_that_is_not_automatic_gives_nothing_by_itself() -> None:
    backports = suite_of(
        {"a=2": ""},
        name="backports",
        release_fields="NotAutomatic: yes\nButAutomaticUpgrades: yes\n",
    )
    assert versions(suite_of({"a=1": ""}), backports) == ["1 stable", "2 backports"]


def test_several_versions_in_one_suite() -> None:
    assert versions({"a=1": "", "a=3": "", "a=2": ""}) == ["3 stable", "2 stable", "1 stable"]


def test_providers_are_candidates_that_still_provide() -> None:
    old = suite_of({"a=1": "Provides: v", "b": "Provides: v"}, name="old")
    new = suite_of({"a=2": ""}, name="new")
    assert [one.name for one in universe(old, new).providers("v")] == ["b"]
    pinned = universe(old, new)
    pinned = pinned.pinned([pinned.versions("a")[1]])
    assert [str(one) for one in pinned.providers("v")] == ["b 1", "a 1"]


def test_essential_and_priority_are_those_of_the_candidate() -> None:
    old = suite_of({"a=1": "Essential: yes\nPriority: required"}, name="old")
    new = suite_of({"a=2": "Priority: important", "b": "Priority: required"}, name="new")
    world = universe(old, new)
    assert world.essential() == ()
    assert [one.name for one in world.of_priority("required")] == ["b"]
    assert [one.name for one in world.of_priority("important")] == ["a"]


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        ("v", ["v", "c", "b"]),
        ("v (>= 2)", ["c"]),
        ("v (= 1)", ["v"]),
        ("v (>> 9)", []),
        ("nowhere", []),
    ],
)
def test_targets(clause: str, expected: list[str]) -> None:
    world = universe({"b": "Provides: v", "c": "Provides: v (= 2)", "v": "Provides: v"})
    (((relation,),)) = parse_clauses(clause)
    assert [one.name for one in world.targets(relation)] == expected


@pytest.mark.parametrize(
    ("suite", "expected"), [("one", True), ("one-code", True), ("two", False), ("", False)]
)
def test_where_a_package_is_from(suite: str, expected: bool) -> None:
    world = universe(suite_of({"a=2": ""}, name="one"), suite_of({"a=1": ""}, name="two"))
    assert world.is_from(world.versions("a")[0], suite) is expected


def test_similar_names() -> None:
    world = universe({"python3": "", "python3-pip": "", "perl": ""})
    assert world.similar("pyton3") == ("python3",)
    assert world.similar("zzz") == ()
