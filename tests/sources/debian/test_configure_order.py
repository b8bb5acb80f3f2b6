from __future__ import annotations

import pytest

from bootsmith.sources.debian.configure_order import configure_order
from bootsmith.sources.debian.control import parse_paragraph
from bootsmith.sources.debian.deb import ControlArchive

CASES: dict[str, tuple[dict[str, dict[str, str]], str]] = {
    "nothing": ({}, ""),
    "as given": ({"b": {}, "a": {}}, "b a"),
    "what is needed first": ({"a": {"Depends": "b"}, "b": {"Depends": "c"}, "c": {}}, "c b a"),
    "pre-dependencies too": (
        {"a": {"Depends": "b", "Pre-Depends": "c"}, "b": {}, "c": {}},
        "c b a",
    ),
    "the essential ones first": (
        {"a": {}, "e": {"Essential": "yes", "Depends": "l"}, "l": {}, "b": {"Depends": "a"}},
        "l e a b",
    ),
    "a cycle": ({"a": {"Depends": "b"}, "b": {"Depends": "c"}, "c": {"Depends": "a"}}, "c b a"),
    "itself": ({"a": {"Depends": "a"}}, "a"),
    "the alternative that is there": ({"a": {"Depends": "x | b"}, "b": {}}, "b a"),
    "the first alternative that is there": (
        {"a": {"Depends": "c | b"}, "b": {}, "c": {}},
        "c a b",
    ),
    "who provides it": ({"a": {"Depends": "v"}, "p": {"Provides": "v"}}, "p a"),
    "who provides the version": (
        {
            "a": {"Depends": "v (>= 2)"},
            "p": {"Provides": "v"},
            "q": {"Provides": "v (= 1)"},
            "r": {"Provides": "v (= 3)"},
        },
        "r a p q",
    ),
    "nobody": ({"a": {"Depends": "gone, b"}, "b": {}}, "b a"),
}


def control(name: str, fields: dict[str, str]) -> ControlArchive:
    known = {"Package": name, "Version": "1", "Architecture": "all", **fields}
    text = "".join(f"{key}: {value}\n" for key, value in known.items()).encode()
    return ControlArchive(text=text, fields=parse_paragraph(text), files={})


@pytest.mark.parametrize(("packages", "expected"), CASES.values(), ids=CASES)
def test_the_order(packages: dict[str, dict[str, str]], expected: str) -> None:
    given = [control(name, fields) for name, fields in packages.items()]
    assert " ".join(one.name for one in configure_order(given)) == expected


def test_a_chain_longer_than_the_stack() -> None:
    length = 2000
    given = [control(f"p{n}", {"Depends": f"p{n + 1}"}) for n in range(length)]
    found = configure_order(given)
    assert [one.name for one in found] == [f"p{n}" for n in reversed(range(length))]
