"""The compact index: the same whatever the chunks, and right against a plain parse."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootsmith.errors import ArchiveError
from bootsmith.model.streams import BytesSource
from bootsmith.sources.debian.control import parse_paragraphs
from bootsmith.sources.debian.index import IndexBuilder, PackagesIndex
from tests.support.debian_universe import index_of, packages_text

WORLD = {
    "bash": "Essential: yes\nPriority: required\nDepends: libc6",
    "mawk": "Priority: required\nProvides: awk",
    "gawk": "Provides: awk, gawk-api (= 3.2), awk-full",
    "bash=9": "",
    "vim": "Priority: important",
    "less": "Priority: standard\nDescription: reads\n Provides: nothing\n Essential: yes",
}
TEXT = packages_text(WORLD)


def build(text: bytes, *cuts: int) -> bytes:
    builder = IndexBuilder()
    edges = [0, *sorted(cuts), len(text)]
    for start, end in itertools.pairwise(edges):
        builder.feed(text[start:end])
    return builder.finish()


def test_packages_by_name() -> None:
    index = index_of(TEXT)
    assert [one["Version"] for one in index.named("bash")] == ["1", "9"]
    assert [one["Depends"] for one in index.named("bash")[:1]] == ["libc6"]
    assert index.named("bas") == index.named("bashx") == index.named("") == []
    assert list(index.names()) == ["bash", "bash", "gawk", "less", "mawk", "vim"]


def test_packages_by_what_they_provide() -> None:
    index = index_of(TEXT)
    assert index.providing("awk") == ["mawk", "gawk"]
    assert index.providing("gawk-api") == ["gawk"]
    assert index.providing("nothing") == index.providing("bash") == []


@pytest.mark.parametrize(
    ("mark", "names"),
    [
        ("essential", ["bash"]),
        ("required", ["bash", "mawk"]),
        ("important", ["vim"]),
        ("standard", ["less"]),
        ("optional", []),
    ],
)
def test_packages_by_mark(mark: str, names: list[str]) -> None:
    assert index_of(TEXT).marked(mark) == names


def test_ranks_follow_the_first_mention() -> None:
    text = packages_text(
        {
            "one": "Depends: four (>= 1) | three:any, two",
            "two": "Description: five, six",
            "three": "Conflicts: five",
            "four": "",
            "five": "",
        }
    )
    index = index_of(text)
    ranks = {name: index.rank(name) for name in ("one", "two", "three", "four", "five")}
    assert sorted(ranks, key=lambda name: ranks[name] or 0) == [
        "one",
        "four",
        "two",  # not "three": apt takes "three:any" for a name of its own
        "three",
        "five",
    ]
    assert index.rank("six") is None


@given(st.lists(st.integers(0, len(TEXT)), max_size=6))
def test_chunks_do_not_matter(cuts: list[int]) -> None:
    assert build(TEXT, *cuts) == build(TEXT)


@given(st.lists(st.sampled_from([b"\n", b"\n\n", b""]), min_size=8, max_size=8))
def test_blank_lines_do_not_matter(gaps: list[bytes]) -> None:
    paragraphs = [part.strip(b"\n") + b"\n" for part in TEXT.split(b"\n\n")]
    text = gaps[7] + b"".join(
        part + b"\n" + gap for part, gap in zip(paragraphs, gaps, strict=False)
    )
    index = PackagesIndex(build(text, len(text) // 2), BytesSource(text))
    assert [one["Version"] for one in index.named("bash")] == ["1", "9"]
    assert index.marked("standard") == ["less"]


def test_every_paragraph_is_found_again() -> None:
    index = index_of(TEXT)
    for paragraph in parse_paragraphs(TEXT):
        assert dict(paragraph) in [dict(one) for one in index.named(paragraph["Package"])]


def test_an_empty_file() -> None:
    index = index_of(b"")
    assert list(index.names()) == []
    assert index.named("a") == []
    assert index.marked("essential") == []


def test_a_package_field_that_does_not_come_first() -> None:
    assert index_of(b"Version: 1\nPackage: late\n").named("late")[0]["Version"] == "1"


@pytest.mark.parametrize(
    "text",
    [b"Version: 1\n", b"Package:\nVersion: 1\n", b"<html>\n", TEXT + b"\nOrigin: x\n"],
    ids=["no name", "empty name", "a web page", "something behind"],
)
def test_what_is_no_packages_file(text: bytes) -> None:
    with pytest.raises(ArchiveError, match="names no package"):
        build(text)


GOOD = build(TEXT)


@pytest.mark.parametrize(
    "index",
    [b"", b"something else", GOOD[:-1], GOOD + b"x", GOOD[:40]],
)
def test_a_damaged_index(index: bytes) -> None:
    with pytest.raises(ArchiveError, match="index of a Packages file"):
        PackagesIndex(index, BytesSource(TEXT))
