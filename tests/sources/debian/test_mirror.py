from __future__ import annotations

import pytest

from bootsmith.errors import ConfigError, FetchError
from bootsmith.sources.debian.apt_sources import AptSource, parse_apt_sources
from bootsmith.sources.debian.mirror import (
    DEBIAN,
    DEBIAN_SECURITY,
    PUBLIC_MIRRORS,
    choose_mirror,
)
from bootsmith.sources.mirror import Mirror
from tests.support.debian_repository import SigningKey

DEBIAN_RELEASE = b"Origin: Debian\nSuite: stable\n"
UBUNTU_RELEASE = b"Origin: Ubuntu\nLabel: Debian\n"

APT = (
    AptSource(uri="http://mirror.example/debian/", suite="bookworm"),
    AptSource(uri="http://mirror.example/debian/", suite="bookworm-updates"),
    AptSource(uri="http://mirror.example/debian-security", suite="bookworm-security"),
)


def choose(
    archive: str = DEBIAN,
    suite: str = "trixie",
    *,
    configured: str | None = None,
    environment: dict[str, str] | None = None,
    apt: tuple[AptSource, ...] = APT,
    release: bytes | None = DEBIAN_RELEASE,
    asked: list[str] | None = None,
) -> Mirror:
    def probe(url: str) -> bytes:
        if asked is not None:
            asked.append(url)
        if release is None:
            raise FetchError(f"{url} cannot be reached", url=url)
        return release

    return choose_mirror(
        archive,
        suite,
        configured=configured,
        environment=environment or {},
        apt_sources=apt,
        probe=probe,
    )


def test_the_config_comes_first() -> None:
    found = choose(
        configured="https://mine.example/debian/",
        environment={"BOOTSMITH_DEBIAN_MIRROR": "http://env.example/debian"},
    )
    assert found == Mirror(url="https://mine.example/debian", named_by="the config")


def test_then_the_environment() -> None:
    found = choose(environment={"BOOTSMITH_DEBIAN_MIRROR": "http://env.example/debian"})
    assert found.url == "http://env.example/debian"
    assert "BOOTSMITH_DEBIAN_MIRROR" in found.named_by


def test_a_mirror_that_is_named_is_not_doubted() -> None:
    asked: list[str] = []
    choose(configured="file:///srv/debian", release=None, asked=asked)
    assert asked == []


def test_then_this_machines_apt() -> None:
    asked: list[str] = []
    assert choose(asked=asked).url == "http://mirror.example/debian"
    assert asked == ["http://mirror.example/debian/dists/trixie/InRelease"]


def test_the_security_archive_has_a_mirror_of_its_own() -> None:
    found = choose(DEBIAN_SECURITY, "trixie-security")
    assert found.url == "http://mirror.example/debian-security"
    other = choose(
        DEBIAN_SECURITY,
        "trixie-security",
        environment={"BOOTSMITH_DEBIAN_MIRROR": "http://env.example/debian"},
        apt=(),
    )
    assert other.url == PUBLIC_MIRRORS[DEBIAN_SECURITY]


def test_a_signed_release_counts_as_well() -> None:
    signed = SigningKey.generate().clearsign(DEBIAN_RELEASE)
    assert choose(release=signed).url == "http://mirror.example/debian"


@pytest.mark.parametrize(
    "release",
    [None, b"", b"<html>Origin: Debian</html>", UBUNTU_RELEASE, b"X-Origin: Debian\n"],
    ids=["not there", "empty", "a web page", "another origin", "another field"],
)
def test_what_is_not_debian_is_passed_over(release: bytes | None) -> None:
    assert choose(release=release).url == PUBLIC_MIRRORS[DEBIAN]


def test_a_mirror_without_the_suite_is_remembered() -> None:
    """It may be a slip of the user's: an error has to say so."""

    def probe(url: str) -> bytes:
        raise FetchError(f"{url} answered HTTP 404", url=url, status=404)

    found = choose_mirror(
        DEBIAN, "trixy", configured=None, environment={}, apt_sources=APT, probe=probe
    )
    assert found.passed_over == ("http://mirror.example/debian has no suite trixy",)
    assert choose(release=None).passed_over == ()


@pytest.mark.parametrize(
    "uri",
    [
        "cdrom:[Debian 12]/",
        "mirror://example.org/list",
        "mirror+file:/etc/apt/mirrors.txt",
        "tor+http://example.onion/debian",
        "ssh://host/debian",
        "http://",
    ],
)
def test_addresses_that_only_apt_understands(uri: str) -> None:
    asked: list[str] = []
    found = choose(apt=(AptSource(uri=uri, suite="bookworm"),), asked=asked)
    assert found.url == PUBLIC_MIRRORS[DEBIAN]
    assert asked == []


def test_the_first_that_answers() -> None:
    apt = tuple(AptSource(uri=f"http://{name}.example/x", suite="a") for name in ("p", "q", "r"))

    def probe(url: str) -> bytes:
        if "//q." not in url:
            raise FetchError(f"{url} cannot be reached", url=url)
        return DEBIAN_RELEASE

    found = choose_mirror(
        DEBIAN, "trixie", configured=None, environment={}, apt_sources=apt, probe=probe
    )
    assert found.url == "http://q.example/x"


@pytest.mark.parametrize(
    "url",
    [
        "mirror.example/debian", "ftp://x/debian", "file:debian", "http://x/d?a=b", "http://[x",
        "http://me:secret@x/debian", "https://me@x/debian",
    ],
)  # fmt: skip
def test_a_mirror_must_be_an_address(url: str) -> None:
    with pytest.raises(ConfigError, match="not the address of a mirror") as caught:
        choose(configured=url)
    assert "secret" not in str(caught.value) + caught.value.problems[0].message
    assert caught.value.problems[0].pointer == "mirror"
    with pytest.raises(ConfigError):
        choose(environment={"BOOTSMITH_DEBIAN_MIRROR": url})


SOURCES = {
    "deb822": (
        "a.sources",
        (
            "Types: deb deb-src\nURIs: http://a/debian http://b/debian\nSuites: x x-updates\n"
            "Components: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n"
        ),
        [
            ("http://a/debian", "x"),
            ("http://a/debian", "x-updates"),
            ("http://b/debian", "x"),
            ("http://b/debian", "x-updates"),
        ],
    ),
    "deb822 with a comment": (
        "a.sources",
        "Types: deb\n# was: http://old\nURIs: http://a\nSuites: x\n",
        [("http://a", "x")],
    ),
    "deb822 switched off": (
        "a.sources",
        "Types: deb\nURIs: http://a\nSuites: x\nEnabled: no\n",
        [],
    ),
    "only sources": ("a.sources", "Types: deb-src\nURIs: http://a\nSuites: x\n", []),
    "deb822 that is malformed": ("a.sources", "Types: deb\nnonsense\n", []),
    "one line": (
        "sources.list",
        "deb http://a/debian x main contrib\n",
        [("http://a/debian", "x")],
    ),
    "options": (
        "a.list",
        "deb [ arch=amd64 signed-by=/k.gpg ] http://a/d x main\n",
        [("http://a/d", "x")],
    ),
    "comments": ("a.list", "# deb http://a x main\ndeb http://b x # deb\n", [("http://b", "x")]),
    "source lines": ("a.list", "deb-src http://a x main\n", []),
    "nonsense": ("a.list", "debian\ndeb\ndeb http://a\n\xff\n", []),
    "empty": ("a.list", "", []),
}


@pytest.mark.parametrize(("name", "text", "expected"), SOURCES.values(), ids=SOURCES)
def test_apt_sources(name: str, text: str, expected: list[tuple[str, str]]) -> None:
    found = parse_apt_sources(name, text.encode("latin-1"))
    assert [(one.uri, one.suite) for one in found] == expected


def test_both_archives_have_everything() -> None:
    from bootsmith.sources.debian.mirror import ENVIRONMENT

    assert set(PUBLIC_MIRRORS) == set(ENVIRONMENT) == {DEBIAN, DEBIAN_SECURITY}
