"""Reading whole suites from a mirror, right ones and wrong ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bootsmith.errors import (
    ArchiveError,
    ConfigError,
    FetchError,
    ImageError,
    IntegrityError,
    PlatformNotFound,
    UnsafePath,
)
from bootsmith.host.http import HttpClient
from bootsmith.model.reporter import Silent
from bootsmith.sources.debian.archive import Repository
from bootsmith.sources.debian.trust import Keyring
from bootsmith.sources.debian.universe import Universe, load_universe
from bootsmith.store.blobs import Store
from bootsmith.store.fetch import Fetcher
from bootsmith.store.index_cache import IndexCache
from tests.support.debian_repository import SigningKey, compress, deb, repository
from tests.support.http_server import Fault, Server, serve

KEY = SigningKey.generate()
KEYRING = Keyring(keys=(KEY.public,))
NOW = datetime.now(UTC)
SUITE = "testing-suite"
BASE = f"dists/{SUITE}"
HELLO = deb(name="hello", version="2.10", architecture="amd64", depends="libhello (>= 1)")
LIBRARY = deb(name="libhello", version="1.1", provides="hello-api (= 1)")
ARM = deb(name="hello", version="2.11", architecture="arm64")
NOISE = "".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(20))
PACKAGES = [HELLO, LIBRARY, ARM]


class Mirror:
    """A mirror and someone who reads it."""

    def __init__(self, server: Server, root: Path) -> None:
        self.server = server
        self._root = root

    def load(
        self,
        *repositories: Repository,
        arch: str = "amd64",
        allow_unsigned: bool = False,
        now: datetime = NOW,
        offline: bool = False,
    ) -> Universe:
        store, http = Store(self._root), HttpClient(timeout_s=5)
        fetcher = Fetcher(
            store=store, http=http, reporter=Silent(), offline=offline, first_pause_s=0
        )
        cache = IndexCache(
            base=self.server.url.rstrip("/"), store=store, http=http, fetcher=fetcher
        )
        wanted = repositories or (Repository(archive="debian", suite=SUITE),)
        return load_universe(
            wanted,
            arch=arch,
            fetchers={one.archive: cache for one in wanted},
            store=store,
            keyring=KEYRING,
            now=now,
            allow_unsigned=allow_unsigned,
        )


@contextmanager
def mirror(tmp_path: Path, files: dict[str, bytes]) -> Iterator[Mirror]:
    with serve(files) as server:
        yield Mirror(server, tmp_path / "store")


def test_a_suite_is_read(tmp_path: Path) -> None:
    with mirror(tmp_path, repository(PACKAGES, key=KEY)) as one:
        universe = one.load()
    (hello,) = universe.versions("hello")
    assert str(hello) == "hello 2.10"
    assert (hello.archive, hello.suite) == ("debian", SUITE)
    assert hello.filename == "pool/main/h/hello/hello_2.10_amd64.deb"
    assert hello.size_bytes == len(HELLO.data)
    assert hello.sha256.hex == hashlib.sha256(HELLO.data).hexdigest()
    assert [str(package) for package in universe.providers("hello-api")] == ["libhello 1.1"]
    assert universe.unsigned == ()


def test_another_architecture(tmp_path: Path) -> None:
    with mirror(tmp_path, repository(PACKAGES, key=KEY)) as one:
        universe = one.load(arch="arm64")
    assert [str(package.version) for package in universe.versions("hello")] == ["2.11"]
    assert universe.candidate("libhello") is not None


def test_indexes_are_fetched_by_hash_and_only_once(tmp_path: Path) -> None:
    with mirror(tmp_path, repository(PACKAGES, key=KEY)) as one:
        one.load()
        assert one.server.paths()[0] == f"{BASE}/InRelease"
        (index,) = one.server.paths()[1:]
        assert index.startswith(f"{BASE}/main/binary-amd64/by-hash/SHA256/")
        one.server.requests.clear()
        assert one.load().candidate("hello") is not None
        assert [(request.path, request.status) for request in one.server.requests] == [
            (f"{BASE}/InRelease", 304)
        ]


def test_the_plain_name_where_there_is_no_by_hash(tmp_path: Path) -> None:
    with mirror(tmp_path, repository(PACKAGES, key=KEY, by_hash=False)) as one:
        one.load()
        assert one.server.paths() == [f"{BASE}/InRelease", f"{BASE}/main/binary-amd64/Packages.xz"]


def test_the_plain_name_when_by_hash_is_gone(tmp_path: Path) -> None:
    files = {
        path: data
        for path, data in repository(PACKAGES, key=KEY).items()
        if "/by-hash/" not in path
    }
    with mirror(tmp_path, files) as one:
        assert one.load().candidate("hello") is not None


@pytest.mark.parametrize("forms", [["xz"], ["gz"], ["gz", "xz"]])
def test_forms(tmp_path: Path, forms: list[str]) -> None:
    with mirror(tmp_path, repository(PACKAGES, key=KEY, forms=forms)) as one:
        assert one.load().candidate("hello") is not None


def test_the_next_form_when_one_is_missing_at_the_mirror(tmp_path: Path) -> None:
    files = repository(PACKAGES, key=KEY, by_hash=False)
    del files[f"{BASE}/main/binary-amd64/Packages.xz"]
    with mirror(tmp_path, files) as one:
        assert one.load().candidate("hello") is not None


def test_a_release_with_a_detached_signature(tmp_path: Path) -> None:
    with mirror(tmp_path, repository(PACKAGES, key=KEY, detached=True)) as one:
        universe = one.load()
    assert universe.suites[0].trusted.signers == (KEY.fingerprint,)


def test_several_suites_and_archives(tmp_path: Path) -> None:
    fixed = deb(name="hello", version="2.10+fix1", architecture="amd64")
    files = repository(PACKAGES, key=KEY)
    files |= repository([fixed], key=KEY, suite="stable-security", codename=f"{SUITE}-security")
    with mirror(tmp_path, files) as one:
        universe = one.load(
            Repository(archive="debian", suite=SUITE),
            Repository(archive="debian-security", suite=f"{SUITE}-security"),
        )
    assert [(str(p.version), p.archive) for p in universe.versions("hello")] == [
        ("2.10+fix1", "debian-security"),
        ("2.10", "debian"),
    ]


def test_several_components(tmp_path: Path) -> None:
    files = repository(PACKAGES, key=KEY, components=("main", "contrib"))
    with mirror(tmp_path, files) as one:
        universe = one.load(
            Repository(archive="debian", suite=SUITE, components=("contrib", "main"))
        )
    assert len(universe.suites[0].indexes) == 2


def test_packages_for_every_architecture_in_an_index_of_their_own(tmp_path: Path) -> None:
    files = repository([HELLO], key=None)
    extra = repository([LIBRARY], key=None, architectures=("all",), path="extra")
    table = b"".join(
        line + b"\n" for line in extra["dists/extra/Release"].split(b"\n") if b"binary-all" in line
    )
    release = files[f"{BASE}/Release"].replace(b"Architectures: ", b"Architectures: all ") + table
    files[f"{BASE}/InRelease"] = KEY.clearsign(release)
    files |= {path.replace("dists/extra", BASE): data for path, data in extra.items()}
    files[f"{BASE}/InRelease"] = KEY.clearsign(release)
    with mirror(tmp_path, files) as one:
        universe = one.load()
    assert universe.candidate("libhello") is not None
    assert universe.candidate("hello") is not None


def test_an_index_lost_from_the_store_is_fetched_again(tmp_path: Path) -> None:
    with mirror(tmp_path, repository(PACKAGES, key=KEY)) as one:
        one.load()
        for blob in (tmp_path / "store" / "blobs").rglob("*"):
            if blob.is_file():
                blob.unlink()
        assert one.load().candidate("hello") is not None


def test_offline_reads_what_was_read_before(tmp_path: Path) -> None:
    with mirror(tmp_path, repository(PACKAGES, key=KEY)) as one:
        with pytest.raises(ImageError):
            one.load(offline=True)
        one.load()
        one.server.requests.clear()
        assert one.load(offline=True).candidate("hello") is not None
        assert one.server.requests == []


def test_unsigned_archives(tmp_path: Path) -> None:
    with mirror(tmp_path, repository(PACKAGES, key=None)) as one:
        with pytest.raises(IntegrityError, match="not signed by a trusted key"):
            one.load()
        universe = one.load(allow_unsigned=True)
    assert universe.unsigned == (Repository(archive="debian", suite=SUITE),)
    assert universe.candidate("hello") is not None


def test_a_suite_that_does_not_exist(tmp_path: Path) -> None:
    with mirror(tmp_path, {}) as one, pytest.raises(FetchError) as caught:
        one.load()
    assert caught.value.status == 404
    assert caught.value.url.endswith("/InRelease")


def test_a_mirror_that_fails(tmp_path: Path) -> None:
    with mirror(tmp_path, repository(PACKAGES, key=KEY)) as one:
        one.server.fail_always("*", Fault(status=503))
        with pytest.raises(FetchError) as caught:
            one.load()
    assert caught.value.status == 503
    assert caught.value.retryable


def test_a_foreign_architecture(tmp_path: Path) -> None:
    files = repository([ARM], key=KEY, architectures=("arm64",))
    with mirror(tmp_path, files) as one, pytest.raises(PlatformNotFound) as caught:
        one.load()
    assert "arm64" in str(caught.value.hint)


def test_an_unknown_component(tmp_path: Path) -> None:
    with mirror(tmp_path, repository(PACKAGES, key=KEY)) as one:
        wanted = Repository(archive="debian", suite=SUITE, components=("main", "nonfree"))
        with pytest.raises(FetchError, match="no component nonfree"):
            one.load(wanted)


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no Debian repository"):
        load_universe(
            [], arch="amd64", fetchers={}, store=Store(tmp_path), keyring=KEYRING, now=NOW
        )


def test_an_expired_release(tmp_path: Path) -> None:
    files = repository(PACKAGES, key=KEY, valid_until=NOW + timedelta(days=1))
    with mirror(tmp_path, files) as one:
        assert one.load().candidate("hello") is not None
        with pytest.raises(IntegrityError, match="has expired"):
            one.load(now=NOW + timedelta(days=2))


def test_a_changed_index(tmp_path: Path) -> None:
    """The index says one thing, the signed release another."""
    hello = deb(name="hello", version="9.9", architecture="amd64", tag=NOISE)
    evil = repository([hello], key=None)
    files = repository(PACKAGES, key=KEY)
    for path in files:
        if "/binary-amd64/" in path:
            files[path] = evil[f"{BASE}/main/binary-amd64/Packages.xz"]
    with mirror(tmp_path, files) as one, pytest.raises(IntegrityError) as caught:
        one.load()
    assert caught.value.expected != caught.value.actual


def _repacked(damage: bytes) -> dict[str, bytes]:
    """A signed repository whose Packages.xz is signed as it is: damaged."""
    files = repository(PACKAGES, key=None, forms=["xz"], by_hash=False)
    name = "main/binary-amd64/Packages.xz"
    good = files[f"{BASE}/{name}"]
    release = files[f"{BASE}/Release"].replace(
        f"{hashlib.sha256(good).hexdigest()} {len(good):8} {name}".encode(),
        f"{hashlib.sha256(damage).hexdigest()} {len(damage):8} {name}".encode(),
    )
    return files | {f"{BASE}/{name}": damage, f"{BASE}/InRelease": KEY.clearsign(release)}


GOOD_XZ = repository(PACKAGES, key=None)[f"{BASE}/main/binary-amd64/Packages.xz"]


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (GOOD_XZ[:-20], ArchiveError),
        (b"", ArchiveError),
        (b"this is not xz", ArchiveError),
        (GOOD_XZ + b"rubbish", ArchiveError),
        (compress(b"Package: other\n", "xz"), IntegrityError),
    ],
    ids=["cut", "empty", "not xz", "something behind it", "another file"],
)
def test_a_damaged_index_that_is_signed(
    tmp_path: Path, damage: bytes, error: type[ImageError]
) -> None:
    with mirror(tmp_path, _repacked(damage)) as one:
        with pytest.raises(error):
            one.load()
        # Nothing of it stays behind to be taken for right the next time.
        with pytest.raises(error):
            one.load()


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("Filename", "../../etc/passwd", UnsafePath),
        ("Filename", "/etc/passwd", UnsafePath),
        ("Filename", "pool/../../x.deb", UnsafePath),
        ("Filename", "pool//x.deb", UnsafePath),
        ("Filename", "http://example.org/x.deb", UnsafePath),
        ("Filename", "pool/x.deb?token", UnsafePath),
        ("Filename", "pool/x.deb#part", UnsafePath),
        ("Filename", "pool\\x.deb", UnsafePath),
        ("Filename", "", UnsafePath),
        ("Size", "-1", ArchiveError),
        ("Size", "1_000", ArchiveError),
        ("SHA256", "abc", ArchiveError),
        ("Version", "1_0", ArchiveError),
        ("Depends", "a | | b", ArchiveError),
        ("Provides", "a | b", ArchiveError),
        ("Package", "../x", ArchiveError),
    ],
)
def test_hostile_fields(tmp_path: Path, field: str, value: str, error: type[ArchiveError]) -> None:
    files = repository([HELLO], key=KEY, overrides={"hello": {field: value}})
    with mirror(tmp_path, files) as one:
        universe = one.load()
        name = value if field == "Package" else "hello"
        with pytest.raises(error) as caught:
            universe.versions(name)
    assert type(caught.value) is error
    assert caught.value.member == name
    assert caught.value.hint


def test_a_paragraph_with_a_field_twice(tmp_path: Path) -> None:
    files = repository([HELLO], key=KEY, overrides={"hello": {"depends": "other"}})
    with mirror(tmp_path, files) as one, pytest.raises(ArchiveError, match="twice"):
        one.load().versions("hello")


def test_a_paragraph_without_a_digest(tmp_path: Path) -> None:
    files = repository([HELLO], key=KEY, overrides={"hello": {"SHA256": ""}})
    with mirror(tmp_path, files) as one, pytest.raises(ArchiveError, match="hello"):
        one.load().versions("hello")


def test_packages_of_another_architecture_in_an_index(tmp_path: Path) -> None:
    files = repository([HELLO, LIBRARY], key=KEY, overrides={"hello": {"Architecture": "riscv64"}})
    with mirror(tmp_path, files) as one:
        assert one.load().versions("hello") == ()
