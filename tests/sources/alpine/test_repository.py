"""Repositories read from a mirror."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from bootsmith.errors import ArchiveError, ConfigError, FetchError, IntegrityError
from bootsmith.sources.alpine.index import INDEX_KIND
from bootsmith.sources.alpine.mirror import (
    ALPINE,
    PUBLIC_MIRROR,
    Repository,
    branch_of,
    choose_mirror,
    parse_repository,
)
from bootsmith.sources.alpine.repository import OpenRepository, read_repository
from bootsmith.sources.alpine.trust import Keyring
from bootsmith.sources.alpine.universe import Universe, load_universe
from bootsmith.sources.mirror import Mirror
from bootsmith.store.blobs import Store
from tests.support.alpine_repository import ARCH, SigningKey, apk, member, repository
from tests.support.real_alpine import Files

KEY = SigningKey.generate()
RING = Keyring({KEY.name: KEY.public})
MAIN = Repository(mirror=ALPINE, path="v3.19/main")
INDEX = f"{MAIN.path}/{ARCH}/APKINDEX.tar.gz"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def read(files: dict[str, bytes], store: Store, *, allow_unsigned: bool = False) -> OpenRepository:
    return read_repository(
        MAIN,
        arch=ARCH,
        fetcher=Files(files),
        store=store,
        keyring=RING,
        allow_unsigned=allow_unsigned,
    )


def test_a_signed_index(store: Store) -> None:
    found = read(repository([apk(name="a")], key=KEY, path=MAIN.path), store)
    assert found.signed_by == KEY.name
    assert list(found.index.names()) == ["a"]


def test_what_was_derived_is_used_again_and_made_again_when_it_is_gone(store: Store) -> None:
    files = repository([apk(name="a")], key=KEY, path=MAIN.path)
    read(files, store)
    (record,) = (store.root / "derived" / INDEX_KIND).rglob("*")
    assert list(read(files, store).index.names()) == ["a"]
    record.unlink()
    assert list(read(files, store).index.names()) == ["a"]


def test_another_index_under_the_same_address(store: Store) -> None:
    read(repository([apk(name="a")], key=KEY, path=MAIN.path), store)
    found = read(repository([apk(name="b")], key=KEY, path=MAIN.path), store)
    assert list(found.index.names()) == ["b"]


def test_a_signature_is_checked_even_when_the_index_is_known(store: Store) -> None:
    files = repository([apk(name="a")], key=None, path=MAIN.path)
    assert read(files, store, allow_unsigned=True).signed_by is None
    with pytest.raises(IntegrityError):
        read(files, store)


def test_a_missing_index_names_its_address(store: Store) -> None:
    with pytest.raises(FetchError, match="has no index for x86_64") as caught:
        read({}, store)
    assert caught.value.status == 404
    assert f"{PUBLIC_MIRROR}/v3.19/main" in str(caught.value)


@dataclass(frozen=True)
class Silent:
    """A mirror that does not answer."""

    def address(self, path: str) -> str:
        return f"https://mirror.example.org/{path}"

    def fresh(self, path: str) -> bytes:
        raise FetchError("no answer", url=path, retryable=True)


@pytest.mark.parametrize(
    ("where", "hint"),
    [(MAIN, "--preset debian"), (Repository(mirror="https://example.org/x"), "leave")],
)
def test_a_mirror_that_cannot_be_reached(where: Repository, hint: str, store: Store) -> None:
    with pytest.raises(FetchError) as caught:
        read_repository(where, arch=ARCH, fetcher=Silent(), store=store, keyring=RING)
    assert caught.value.hint is not None
    assert hint in caught.value.hint
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"ADB.....", "apk 3"),
        (member({"other": b""}), "no APKINDEX"),
        (member({"APKINDEX": b"P:a\n"}) + b"behind", "follows"),
        (member({"APKINDEX": b"V:1\n"}), "names no package"),
        (b"<html>sign in to this network", "is no index of packages: it begins with b'<html>sign"),
        (b"", "is no index of packages: it is empty"),
        (b"\x1f\x8btext", "is malformed: gzip data is cut off"),
    ],
)
def test_what_is_malformed(data: bytes, what: str, store: Store) -> None:
    """It is told with the address that was asked, which need not be Alpine's own."""
    with pytest.raises(ArchiveError, match=what) as caught:
        read({INDEX: data}, store, allow_unsigned=True)
    assert f"https://mirror.example.org/{INDEX}" in str(caught.value)


def universe(store: Store, repositories: list[Repository], files: dict[str, bytes]) -> Universe:
    fetchers = {one.mirror: Files(files) for one in repositories}
    return load_universe(repositories, arch=ARCH, fetchers=fetchers, store=store, keyring=RING)


def test_one_build_in_two_repositories_is_one_package(store: Store) -> None:
    same, newer = apk(name="a"), apk(name="a", version="2.0-r0")
    edge = Repository(mirror=ALPINE, path="edge/main", tag="edge")
    world = universe(
        store,
        [MAIN, edge],
        {
            **repository([same], key=KEY, path=MAIN.path),
            **repository([newer, same], key=KEY, path=edge.path),
        },
    )
    first, second = world.versions("a")
    assert [str(first.version), str(second.version)] == ["1.0-r0", "2.0-r0"]
    assert world.is_in(first, {None})
    assert world.is_in(first, {"edge"})
    assert not world.is_in(second, {None})
    assert world.home(second).repository is edge
    assert world.tags == {"edge"}
    assert world.unsigned == ()


def test_names_like_it(store: Store) -> None:
    files = repository([apk(name="openssh"), apk(name="openssl", provides="cmd:openssl=1")],
                       key=KEY, path=MAIN.path)  # fmt: skip
    world = universe(store, [MAIN], files)
    assert world.similar("opensh")[0] == "openssh"
    assert world.similar("cmd:opensl") == ("cmd:openssl",)


def test_no_repository_at_all(store: Store) -> None:
    with pytest.raises(ConfigError):
        universe(store, [], {})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("main", Repository(mirror=ALPINE, path="v3.23/main")),
        ("edge/testing", Repository(mirror=ALPINE, path="edge/testing")),
        ("@edge edge/main", Repository(mirror=ALPINE, path="edge/main", tag="edge")),
        ("https://x.org/a/", Repository(mirror="https://x.org/a")),
        ("@my  file:///srv/a", Repository(mirror="file:///srv/a", tag="my")),
    ],
)
def test_repositories_in_the_users_words(text: str, found: Repository) -> None:
    assert parse_repository(text, branch="v3.23") == found


def test_a_repository_as_a_line_of_apks_list() -> None:
    assert str(MAIN) == f"{PUBLIC_MIRROR}/v3.19/main"
    assert str(Repository(mirror="file:///srv/a", tag="my")) == "@my file:///srv/a"


@pytest.mark.parametrize(
    "text", ["", "../main", "a//b", "main?x", "ftp://x.org/a", "http://", "a b"]
)
def test_what_names_no_repository(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_repository(text, branch="v3.23")
    assert caught.value.problems[0].pointer == "alpine.repositories"


@pytest.mark.parametrize(
    ("version", "branch"),
    [("3.23.0", "v3.23"), ("3.23", "v3.23"), ("v3.19.1", "v3.19"), ("edge", "edge")],
)
def test_branches(version: str, branch: str) -> None:
    assert branch_of(version) == branch


@pytest.mark.parametrize("version", ["", "3", "latest", "../x"])
def test_what_is_no_branch(version: str) -> None:
    with pytest.raises(ConfigError):
        branch_of(version)


def test_mirrors() -> None:
    environment = {"BOOTSMITH_ALPINE_MIRROR": "http://env.example/alpine/"}
    chosen = choose_mirror(configured="https://mine.example/a/", environment=environment)
    assert chosen == Mirror(url="https://mine.example/a", named_by="the config")
    chosen = choose_mirror(configured=None, environment=environment)
    assert chosen.url == "http://env.example/alpine"
    assert "BOOTSMITH_ALPINE_MIRROR" in chosen.named_by
    assert choose_mirror(configured=None, environment={}).url == PUBLIC_MIRROR
    with pytest.raises(ConfigError):
        choose_mirror(configured="mine", environment={})
