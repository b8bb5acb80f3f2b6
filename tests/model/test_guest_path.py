"""Paths, digests, architectures and canonical JSON."""

from __future__ import annotations

import pytest

from bootsmith.errors import ConfigError, ImageError, UnsafePath
from bootsmith.model.arch import Arch
from bootsmith.model.canonical_json import canonical_json, digest_of
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import ancestors, display, guest_path, join, name, parent
from bootsmith.model.streams import BytesSink, BytesSource, chunks


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/", b""),
        ("", b""),
        (".", b""),
        ("/etc/passwd", b"etc/passwd"),
        ("./a//b/./c/", b"a/b/c"),
        (b"\xff", b"\xff"),
        ("ä", "ä".encode()),
        ("...", b"..."),
        ("n" * 255, b"n" * 255),
    ],
)
def test_paths_are_normalised(given: str | bytes, path: bytes) -> None:
    assert guest_path(given) == path


@pytest.mark.parametrize("given", ["..", "a/..", "../a", "a/../b", "/..", "a\0b", "n" * 256])
def test_paths_that_are_refused(given: str) -> None:
    with pytest.raises(UnsafePath):
        guest_path(given)


def test_parts_of_paths() -> None:
    path = guest_path("a/b/c")
    assert (parent(path), name(path)) == (b"a/b", b"c")
    assert ancestors(path) == [b"a", b"a/b"]
    assert ancestors(guest_path("a")) == ancestors(guest_path("")) == []
    assert (join(guest_path(""), b"x"), join(path, b"x")) == (b"x", b"a/b/c/x")
    assert parent(guest_path("")) == b""
    assert display(b"a\xff") == "a\\xff"


def test_digests_are_parsed_and_printed() -> None:
    digest = Digest.of(b"")
    assert str(digest) == (
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    assert Digest.parse(str(digest)) == digest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:",
        "sha256:abc",
        "abc",
        "sha3:" + "0" * 64,
        "sha256:" + "G" * 64,
        "md5:" + "A" * 32,
    ],
)
def test_texts_that_are_no_digests(text: str) -> None:
    with pytest.raises(ImageError):
        Digest.parse(text)


@pytest.mark.parametrize(
    ("text", "arch"),
    [
        ("x86_64", Arch.X86_64),
        ("amd64", Arch.X86_64),
        ("AMD64", Arch.X86_64),
        ("arm64", Arch.AARCH64),
        ("aarch64", Arch.AARCH64),
    ],
)
def test_architectures_by_any_name(text: str, arch: Arch) -> None:
    assert Arch.parse(text) is arch


def test_an_unknown_architecture_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="x86_64, aarch64"):
        Arch.parse("sparc")


def test_canonical_json_has_one_text() -> None:
    assert (
        canonical_json({"b": [1, True, None], "a": "ü"}) == '{"a":"ü","b":[1,true,null]}'.encode()
    )
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})


@pytest.mark.parametrize("value", [1.5, {1: "x"}, b"x", {"a": {2}}, [object()]])
def test_values_without_canonical_json(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)  # type: ignore[arg-type]


def test_chunks_end_with_an_error_when_the_source_does() -> None:
    source = BytesSource(b"12345")
    assert b"".join(chunks(source, 1, 3)) == b"234"
    with pytest.raises(ImageError, match="2 bytes are missing"):
        list(chunks(source, 3, 4))
    sink = BytesSink()
    sink.write(b"a")
    sink.skip(2)
    sink.copy_from(source, 0, 2)
    assert sink.data == b"a\0\x0012"
