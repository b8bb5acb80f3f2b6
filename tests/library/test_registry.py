"""Registries of Gondolin's form: what they offer, and what is wrong with them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bootsmith.errors import ImageError, ImageNotFound, PlatformNotFound
from bootsmith.library.reference import Reference
from bootsmith.library.registry import parse_registry
from bootsmith.model.arch import Arch
from bootsmith.model.digest import Digest

URL = "https://images.example/list/registry.json"
FIRST = "0f8fad5b-d9cb-569f-a165-70867728950e"
SECOND = "0f8fad5b-0000-569f-a165-70867728950e"
FIELDS: dict[str, Any] = {
    "schema": 1,
    "refs": {
        "base:latest": {"x86_64": FIRST, "arm64": SECOND},
        "arm/only:1": {"aarch64": SECOND},
    },
    "builds": {
        FIRST: {"url": "../base.tar.gz", "sha256": "ab" * 32, "arch": "amd64"},
        SECOND: {"url": "https://elsewhere.example/arm.tar.gz"},
    },
}


def parse(url: str = URL, **changes: Any) -> Any:
    return parse_registry(json.dumps({**FIELDS, **changes}).encode(), url=url)


@pytest.mark.parametrize(
    ("text", "arch", "build_id"),
    [
        ("base", None, FIRST),
        ("base:latest", Arch.AARCH64, SECOND),
        ("arm/only:1", None, SECOND),
        (SECOND, None, SECOND),
    ],
)
def test_what_is_offered(text: str, arch: Arch | None, build_id: str) -> None:
    offer, _ = parse().find(text, arch=arch, host=Arch.X86_64)
    assert offer.build_id == build_id


def test_an_offer_says_what_to_expect() -> None:
    offer, reference = parse().find("base", arch=None, host=Arch.X86_64)
    assert offer.url == "https://images.example/base.tar.gz"
    assert offer.digest == Digest.sha256("ab" * 32)
    assert offer.arch is Arch.X86_64
    assert reference == Reference("base")


@pytest.mark.parametrize(
    ("text", "arch", "kind", "hint"),
    [
        ("bsae", None, ImageNotFound, "did you mean base:latest?"),
        ("ffffffff-d9cb-569f-a165-70867728950e", None, ImageNotFound, None),
        ("arm/only:1", Arch.X86_64, PlatformNotFound, "--arch"),
        ("../x", None, ImageError, "letters"),
    ],
)
def test_what_is_not_offered(
    text: str, arch: Arch | None, kind: type[ImageError], hint: str | None
) -> None:
    with pytest.raises(kind) as told:
        parse().find(text, arch=arch, host=Arch.X86_64)
    assert (hint or "") in (told.value.hint or "")


def build(**fields: Any) -> dict[str, Any]:
    return {"refs": {}, "builds": {FIRST: {"url": "a.tar.gz", **fields}}}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"schema": 2}, "schema is 2, not 1"),
        ({"builds": []}, "builds is missing or no object"),
        ({"refs": None}, "refs is missing or no object"),
        ({"refs": {}, "builds": {"../x": {"url": "a"}}}, "no build id"),
        (build(url=""), "url is missing"),
        (build(url=3), "url is missing"),
        (build(url="file:///etc/passwd"), "only http and https are read"),
        (build(url="ftp://elsewhere/a"), "only http and https are read"),
        (build(sha256="AB" * 32), "not 64 hexadecimal digits"),
        (build(sha256="ab"), "not 64 hexadecimal digits"),
        (build(arch="vax"), "vax"),
        ({"refs": {"../x:1": {}}}, "no image name"),
        ({"refs": {"base": {}}}, "the tag is missing"),
        ({"refs": {"base:1": {"vax": FIRST}}}, "vax"),
        ({"refs": {"base:1": {"x86_64": "../x"}}}, "which builds does not have"),
        ({"refs": {"base:1": {"x86_64": 3}}}, "which builds does not have"),
        ({"refs": {"base:1": {"aarch64": FIRST}}}, "is a build for x86_64"),
    ],
)
def test_a_wrong_registry(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ImageError, match=says) as told:
        parse(**changes)
    assert URL in str(told.value)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'"x"', b"\xff", b"[" * 100_000])
def test_what_is_no_registry(data: bytes) -> None:
    with pytest.raises(ImageError):
        parse_registry(data, url=URL)


def test_a_file_may_offer_files() -> None:
    registry = parse(url="file:///srv/registry.json", **build())
    assert registry.offers[FIRST].url == "file:///srv/a.tar.gz"
