"""Dependencies in apk's notation."""

from __future__ import annotations

import pytest

from bootsmith.errors import ImageError, ResolveError
from bootsmith.sources.alpine.apk_version import ApkVersion
from bootsmith.sources.alpine.dependency import Provided, parse_dependency, parse_provides
from bootsmith.sources.alpine.world import parse_world


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("busybox", "busybox"),
        ("so:libc.musl-x86_64.so.1", "so:libc.musl-x86_64.so.1"),
        ("/bin/sh", "/bin/sh"),
        ("cmd:gcc>=1.2", "cmd:gcc>=1.2"),
        ("a=~1.2", "a~1.2"),
        ("a~=1.2", "a~1.2"),
        ("a~1.2", "a~1.2"),
        ("a==1-r0", "a=1-r0"),
        ("!a<2", "!a<2"),
        ("a@edge", "a@edge"),
        ("a@edge>1", "a@edge>1"),
        ("gtk+3.0", "gtk+3.0"),
    ],
)
def test_read_and_written(text: str, written: str) -> None:
    assert str(parse_dependency(text)) == written


@pytest.mark.parametrize(
    "text", ["", "!", "a=", "a<>1", "a><Q1abc", "=1", "a=x", "a<<1", "a@", "a b", "a=1=2"]
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ImageError):
        parse_dependency(text)


@pytest.mark.parametrize(
    ("text", "provided", "expected"),
    [
        ("a", "1", True),
        ("a", None, True),
        ("a=1", "1", True),
        ("a=1", "1-r0", False),
        ("a=1", None, False),
        ("a<2", "1", True),
        ("a<2", "2", False),
        ("a<=2", "2", True),
        ("a>1", "1", False),
        ("a>1", "1.1", True),
        ("a>=1", "1", True),
        ("a~1", "1.5", True),
        ("a~1", "2", False),
        ("a>~1", "2", True),
        ("a>~2", "1", False),
        ("a<~1.2", "1.2.3", True),
        ("a<~1.2", "1.3", False),
        ("!a", "1", False),
        ("!a", None, False),
        ("!a<2", "1", False),
        ("!a<2", "2", True),
        ("!a<2", None, True),
    ],
)
def test_what_meets_it(text: str, provided: str | None, *, expected: bool) -> None:
    version = ApkVersion.parse(provided) if provided else None
    assert parse_dependency(text).is_met_by(version) is expected


def test_a_provided_version_that_cannot_be_read_provides_nothing() -> None:
    assert parse_provides("a pc:x=1.2-dev b=1") == (
        Provided("a"),
        Provided("b", ApkVersion.parse("1")),
    )


def test_a_world_is_a_set() -> None:
    assert parse_world(["b", "a", "b"]) == parse_world(["a", "b"])


def test_a_world_in_other_words() -> None:
    with pytest.raises(ResolveError, match="not a request") as caught:
        parse_world(["nodejs ~ 22"])
    assert caught.value.hint is not None
    assert "name~version" in caught.value.hint
