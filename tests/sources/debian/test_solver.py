"""What the solver chooses, and how it refuses."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootsmith.errors import PackageNotFound, ResolveError, VersionConflict
from bootsmith.sources.debian.request import BaseSet, Item, Request
from bootsmith.sources.debian.solver import solve
from tests.support.debian_universe import (
    chosen,
    is_installable,
    names,
    refusal,
    suite_of,
    universe,
)

CHOICES: dict[str, tuple[Mapping[str, str], str, str]] = {
    # name: (world, asked, chosen)
    "one package": ({"a": ""}, "a", "a"),
    "nothing": ({"a": ""}, "", ""),
    "a dependency": ({"a": "Depends: b", "b": ""}, "a", "a b"),
    "a pre-dependency": ({"a": "Pre-Depends: b", "b": ""}, "a", "a b"),
    "a cycle": ({"a": "Depends: b", "b": "Depends: a"}, "a", "a b"),
    "itself": ({"a": "Depends: a"}, "a", "a"),
    "recommends are not followed": ({"a": "Recommends: b", "b": ""}, "a", "a"),
    "the first alternative": ({"a": "Depends: b | c", "b": "", "c": ""}, "a", "a b"),
    "the alternative that exists": ({"a": "Depends: b | c", "c": ""}, "a", "a c"),
    "the alternative that was asked for": (
        {"a": "Depends: b | c", "b": "", "c": ""},
        "a c",
        "a c",
    ),
    "the alternative that came first by another way": (
        {"a": "Depends: c, b | c", "b": "", "c": ""},
        "a",
        "a c",
    ),
    "the alternative in the right version": (
        {"a": "Depends: b (>= 2) | c", "b": "", "c": ""},
        "a",
        "a c",
    ),
    "a virtual package": ({"a": "Depends: v", "b": "Provides: v"}, "a", "a b"),
    "the real package before its providers": (
        {"a": "Depends: v", "b": "Provides: v", "v": ""},
        "a",
        "a v",
    ),
    "the provider of higher priority": (
        {"a": "Depends: v", "b": "Provides: v", "c": "Provides: v\nPriority: standard"},
        "a",
        "a c",
    ),
    "the provider that is essential": (
        {
            "a": "Depends: v",
            "b": "Provides: v\nPriority: required",
            "c": "Provides: v\nEssential: yes",
        },
        "a",
        "a c",
    ),
    "of equal providers the one mentioned last": (
        {"c": "Provides: v", "a": "Depends: v", "b": "Provides: v"},
        "a",
        "a b",
    ),
    "a provider asked for anyway": (
        {"a": "Depends: v", "b": "Provides: v\nPriority: standard", "c": "Provides: v"},
        "a c",
        "a c",
    ),
    "a versioned provide meets a bound": (
        {"a": "Depends: v (>= 2)", "b": "Provides: v (= 1)", "c": "Provides: v (= 2)"},
        "a",
        "a c",
    ),
    "a plain provide meets no bound": (
        {"a": "Depends: v (>= 2) | d", "b": "Provides: v", "d": ""},
        "a",
        "a d",
    ),
    "a name that one package provides": ({"b": "Provides: v"}, "v", "b"),
    "any architecture, allowed": (
        {"a": "Depends: b:any", "b": "Multi-Arch: allowed"},
        "a",
        "a b",
    ),
    "any architecture, not allowed": (
        {"a": "Depends: b:any | c", "b": "Multi-Arch: foreign", "c": ""},
        "a",
        "a c",
    ),
    "this architecture by name": ({"a": "Depends: b:amd64", "b": ""}, "a", "a b"),
    "another architecture by name": (
        {"a": "Depends: b:arm64 | c", "b": "", "c": ""},
        "a",
        "a c",
    ),
    "a conflict takes the alternative": (
        {"a": "Depends: b | c", "b": "Conflicts: d", "c": "", "d": ""},
        "a d",
        "a c d",
    ),
    "a conflict declared by the other side": (
        {"a": "Depends: b | c", "b": "", "c": "", "d": "Conflicts: b"},
        "a d",
        "a c d",
    ),
    "breaks count as conflicts": (
        {"a": "Depends: b | c", "b": "", "c": "", "d": "Breaks: b (<< 2)"},
        "a d",
        "a c d",
    ),
    "breaks of another version do not": (
        {"a": "Depends: b | c", "b=2": "", "c": "", "d": "Breaks: b (<< 2)"},
        "a d",
        "a b d",
    ),
    "a package may conflict with what it provides": (
        {"a": "Depends: v", "b": "Provides: v\nConflicts: v\nReplaces: v"},
        "a",
        "a b",
    ),
    "a conflict with a provided name": (
        {"a": "Depends: b | c", "b": "Provides: v", "c": "", "d": "Conflicts: v"},
        "a d",
        "a c d",
    ),
    "a versioned conflict does not touch a plain provide": (
        {"a": "Depends: b | c", "b": "Provides: v", "c": "", "d": "Conflicts: v (<< 9)"},
        "a d",
        "a b d",
    ),
    "back to an earlier choice": (
        {"a": "Depends: b | c, d", "b": "", "c": "", "d": "Conflicts: b"},
        "a",
        "a c d",
    ),
    "back over choices that have no part in it": (
        {
            "a": "Depends: b | c, x1 | y1, x2 | y2, x3 | y3, d",
            **{f"{letter}{number}": "" for letter in "xy" for number in (1, 2, 3)},
            "b": "",
            "c": "",
            "d": "Conflicts: b",
        },
        "a",
        "a c d x1 x2 x3",
    ),
    "back from deep below": (
        {
            "a": "Depends: b | c",
            "b": "Depends: b1",
            "b1": "Depends: b2",
            "b2": "Depends: nowhere",
            "c": "",
        },
        "a",
        "a c",
    ),
    "a package left out": (
        {"a": "Depends: b | c", "b": "", "c": ""},
        "a b-",
        "a c",
    ),
}


@pytest.mark.parametrize(("world", "asked", "expected"), CHOICES.values(), ids=CHOICES)
def test_choice(world: Mapping[str, str], asked: str, expected: str) -> None:
    assert chosen(world, *asked.split()) == expected


def test_the_order_of_a_request_makes_no_difference() -> None:
    world = {"a": "Depends: x | y", "b": "Depends: y", "x": "", "y": ""}
    assert chosen(world, "a", "b") == chosen(world, "b", "a", "b") == "a b x y"


def test_recommends_on_request() -> None:
    world = {"a": "Recommends: b | c, d, nowhere", "b": "Depends: nowhere", "c": "", "d": ""}
    assert chosen(world, "a", with_recommends=True) == "a c d"


def test_a_recommendation_gives_way() -> None:
    world = {"a": "Recommends: b", "b": "", "c": "Conflicts: b", "d": "Depends: c"}
    assert chosen(world, "a", "d", with_recommends=True) == "a c d"


BASE = {
    "essential": "Essential: yes\nPriority: required\nDepends: library",
    "library": "",
    "needed": "Priority: required",
    "wanted": "Priority: important",
    "usual": "Priority: standard",
    "extra": "",
}


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (BaseSet.NOTHING, "extra"),
        (BaseSet.ESSENTIAL, "essential extra library"),
        (BaseSet.REQUIRED, "essential extra library needed"),
        (BaseSet.IMPORTANT, "essential extra library needed wanted"),
        (BaseSet.STANDARD, "essential extra library needed usual wanted"),
    ],
)
def test_base_sets(base: BaseSet, expected: str) -> None:
    assert chosen(BASE, "extra", base=base) == expected


def test_what_may_be_left_out_of_the_base_set() -> None:
    assert chosen(BASE, "needed-", base=BaseSet.REQUIRED) == "essential library"
    with pytest.raises(VersionConflict, match="essential") as caught:
        chosen(BASE, "essential-", base=BaseSet.REQUIRED)
    assert caught.value.causes == (
        "every image holds essential",
        "essential is left out at your request",
    )


def test_the_essential_packages_choose_first() -> None:
    world = {
        "essential": "Essential: yes\nDepends: first | second",
        "first": "",
        "second": "",
    }
    # As in mmdebstrap, which installs them before it looks at the rest.
    assert chosen(world, "second", base=BaseSet.ESSENTIAL) == "essential first second"


def test_versions_and_suites_on_request() -> None:
    new = suite_of({"a=2": "Depends: b (>= 2)", "b=2": ""}, name="new")
    old = suite_of({"a=1": "", "b=1": ""}, name="old")
    world = universe(new, old)
    assert versions_of(world, "a") == {"a": "2", "b": "2"}
    assert versions_of(world, "a=1") == {"a": "1"}
    assert versions_of(world, "a/old") == {"a": "1"}
    assert versions_of(world, "a/old-code", "b") == {"a": "1", "b": "2"}
    # A dependency is met by the candidate, or by the version that was asked for.
    assert isinstance(refusal(world, "a", "b=1"), VersionConflict)
    with pytest.raises(VersionConflict, match="cannot both be had"):
        chosen(world, "a=1", "a=2")


def versions_of(world: object, *items: str) -> dict[str, str]:
    solution = solve(world, Request.parse(items, base=BaseSet.NOTHING))  # type: ignore[arg-type]
    return {package.name: str(package.version) for package in solution.packages}


REFUSALS: dict[str, tuple[Mapping[str, str], str, type[ResolveError], str, str]] = {
    # name: (world, asked, error, its message, its last cause)
    "an unknown package": (
        {"hello": ""},
        "helo",
        PackageNotFound,
        "there is no package helo for amd64 in debian stable",
        "you asked for helo",
    ),
    "unknown packages are told together": (
        {"hello": ""},
        "helo hello nowhere",
        PackageNotFound,
        "there are no packages helo, nowhere for amd64 in debian stable",
        "you asked for helo, nowhere",
    ),
    "an unknown version": (
        {"a=1.2": ""},
        "a=3",
        VersionConflict,
        "a cannot be had as a=3",
        "the repositories have 1.2 (stable)",
    ),
    "a version of a virtual package": (
        {"b": "Provides: v"},
        "v=1",
        PackageNotFound,
        "there is no package v for amd64 in debian stable",
        "you asked for v=1",
    ),
    "asked for and left out": (
        {"a": ""},
        "a a-",
        VersionConflict,
        "packages cannot be installed together: a",
        "a is left out at your request",
    ),
    "an unknown suite": (
        {"a=1.2": ""},
        "a/experimental",
        VersionConflict,
        "a cannot be had as a/experimental",
        "the repositories have 1.2 (stable)",
    ),
    "a virtual package of several": (
        {"b": "Provides: v", "c": "Provides: v"},
        "v",
        ResolveError,
        "v is a virtual package that several packages provide",
        "it is provided by c, b",
    ),
    "a dependency that does not exist": (
        {"a": "Depends: b", "b": "Depends: nowhere"},
        "a",
        PackageNotFound,
        "a package that is needed does not exist: b 1 depends on nowhere",
        "there is no package nowhere",
    ),
    "a version that does not exist": (
        {"a": "Depends: b (>= 2)", "b": ""},
        "a",
        VersionConflict,
        "packages cannot be installed together: a 1 depends on b (>= 2)",
        "the repositories have b 1, not b (>= 2)",
    ),
    "two that conflict": (
        {"a": "Conflicts: b", "b": ""},
        "a b",
        VersionConflict,
        "packages cannot be installed together: b",
        "a is there since you asked for a",
    ),
    "a dependency that conflicts": (
        {"a": "Depends: c", "b": "", "c": "Conflicts: b"},
        "a b",
        VersionConflict,
        "packages cannot be installed together: a 1 depends on c",
        "b is there since you asked for b",
    ),
    "what is left out is needed": (
        {"a": "Depends: b", "b": ""},
        "a b-",
        VersionConflict,
        "packages cannot be installed together: a 1 depends on b",
        "b is left out at your request",
    ),
}


@pytest.mark.parametrize(
    ("world", "asked", "kind", "message", "cause"), REFUSALS.values(), ids=REFUSALS
)
def test_refusal(
    world: Mapping[str, str], asked: str, kind: type[ResolveError], message: str, cause: str
) -> None:
    error = refusal(world, *asked.split())
    assert type(error) is kind
    assert str(error).split("\n")[0] == message
    assert error.causes[0].startswith("you asked for ")
    assert error.causes[-1] == cause
    assert error.hint


def test_the_chain_of_reasons_is_complete() -> None:
    error = refusal({"a": "Depends: b | x", "b": "Pre-Depends: c", "c": "Depends: d"}, "a")
    assert error.causes == (
        "you asked for a",
        "a 1 depends on b | x",
        "b 1 pre-depends on c",
        "c 1 depends on d",
        "there is no package d",
    )


def test_did_you_mean() -> None:
    world = {"openssh-server": "", "openssh-client": "", "bash": ""}
    assert refusal(world, "openssh-servr").hint == "did you mean openssh-server?"


@pytest.mark.parametrize("text", ["", "A", "a b", "a=", "a=1_0", "a/", "=1", "-a", "../x", "a=1/b"])
def test_what_is_no_request(text: str) -> None:
    with pytest.raises(ResolveError, match="not a request"):
        Item.parse(text)


@pytest.mark.parametrize("text", ["a", "g++", "a=1:2-3", "a/bookworm-updates", "libc6-"])
def test_a_request_is_printed_as_it_was_written(text: str) -> None:
    assert str(Item.parse(text)) == text


def test_reasons() -> None:
    world = universe({"a": "Depends: b", "b": "Essential: yes", "c": "Priority: required"})
    solution = solve(world, Request.parse(["a"]))
    assert solution.asked == ("a",)
    assert dict(zip(names(solution).split(), solution.reasons, strict=True)) == {
        "a": "you asked for a",
        "b": "every image holds b",
        "c": "the base set holds the required c",
    }


def test_a_long_chain_needs_no_deep_stack() -> None:
    world = {f"p{number}": f"Depends: p{number + 1}" for number in range(2000)}
    assert len(chosen({**world, "p2000": ""}, "p0").split()) == 2001


LETTERS = "abcdef"


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, str]:
    """Six packages with few ways to stand together."""
    name = st.sampled_from([*LETTERS, "v"])
    clause = st.lists(name, min_size=1, max_size=3, unique=True).map(" | ".join)
    world = {}
    for letter in LETTERS:
        depends = ", ".join(draw(st.lists(clause, max_size=2)))
        conflicts = ", ".join(draw(st.lists(name, max_size=1)))
        provides = draw(st.sampled_from(["", "", "", "v"]))
        world[letter] = "\n".join(
            f"{field}: {value}"
            for field, value in (
                ("Depends", depends),
                ("Conflicts", conflicts),
                ("Provides", provides),
            )
            if value
        )
    return world


@settings(deadline=None)
@given(worlds(), st.lists(st.sampled_from(LETTERS), min_size=1, max_size=2, unique=True))
def test_a_solution_is_found_when_there_is_one(world: dict[str, str], asked: list[str]) -> None:
    everything = universe(world)
    try:
        found = chosen(everything, *asked).split()
    except ResolveError:
        others = [letter for letter in LETTERS if letter not in asked]
        for size in range(len(others) + 1):
            for more in itertools.combinations(others, size):
                assert not is_installable([*asked, *more], everything)
    else:
        assert set(asked) <= set(found)
        assert is_installable(found, everything)


def test_the_checker_of_solutions_sees_what_is_wrong() -> None:
    world = universe({"a": "Depends: b", "b": "Conflicts: c", "c": ""})
    assert is_installable(["a", "b"], world)
    assert not is_installable(["a"], world)
    assert not is_installable(["b", "c"], world)
    assert not is_installable(["nowhere"], world)
