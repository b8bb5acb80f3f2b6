"""Names, tags and build ids: what is one, and what is refused because it would leave its place."""

from __future__ import annotations

import pytest

from bootsmith.errors import ImageError
from bootsmith.library.reference import Reference, is_build_id, is_build_id_prefix

BUILD_ID = "0f8fad5b-d9cb-569f-a165-70867728950e"


@pytest.mark.parametrize(
    ("text", "name", "tag"),
    [
        ("debian", "debian", "latest"),
        ("debian:12", "debian", "12"),
        ("my/tools/python:3.11-slim", "my/tools/python", "3.11-slim"),
        ("A_b.c-d:E_f.g-h", "A_b.c-d", "E_f.g-h"),
        ("9", "9", "latest"),
    ],
)
def test_a_good_name(text: str, name: str, tag: str) -> None:
    reference = Reference.parse(text)
    assert (reference.name, reference.tag) == (name, tag)
    assert Reference.parse(str(reference)) == reference


@pytest.mark.parametrize(
    "text",
    [
        "", ":", "a:", ":b", "..", ".", "../x", "a/../b", "a/./b", "a//b", "/a", "a/", ".hidden",
        "a/.b", "-a", "a:-b", "a:b/c", "a:..", "a:b:c/", "a b", "a\nb", "a\0b", "ä", "a:ä",
        "x" * 256, "a:" + "x" * 256, "x86_64", "a/aarch64", "a:x86_64", "localhost:5000/a",
    ],
)  # fmt: skip
def test_a_bad_name_is_refused(text: str) -> None:
    with pytest.raises(ImageError, match="no image name"):
        Reference.parse(text)


@pytest.mark.parametrize(
    ("text", "whole", "part"),
    [
        (BUILD_ID, True, True),
        (BUILD_ID.upper(), False, False),
        (BUILD_ID[:-1], False, True),
        (BUILD_ID[:4], False, True),
        (BUILD_ID[:3], False, False),
        ("../" + BUILD_ID, False, False),
        ("debian", False, False),
        ("-abc", False, False),
    ],
)
def test_build_ids(text: str, whole: bool, part: bool) -> None:
    assert (is_build_id(text), is_build_id_prefix(text)) == (whole, part)
