"""What goes wrong is told in one place: what, where, what next; nothing is half-published."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.debian_images import bootsmith
from tests.support.debian_repository import Deb, SigningKey, deb, repository
from tests.support.http_server import Fault, Server, serve

KEY = SigningKey.generate()
KERNEL = deb(
    name="linux-image-cloud-amd64", architecture="amd64", depends="linux-image-1-cloud-amd64"
)
PACKAGES = (
    deb(name="dpkg", essential="yes", priority="required"),
    deb(name="hello", depends="libhello (>= 2)"),
    deb(name="libhello", version="1.0"),
    KERNEL,
    deb(name="linux-image-1-cloud-amd64", architecture="amd64"),
)


class Archive:
    """A signed archive on loopback and a config that uses it."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.output = folder / "image"
        (folder / "key.asc").write_bytes(KEY.public)

    def build(self, *words: str, **debian: object) -> tuple[int, str]:
        config = {
            "arch": "x86_64",
            "debian": {
                "suite": "testing-suite",
                "updates": False,
                "mirror": self.server.url,
                "keys": ["key.asc"],
                **debian,
            },
        }
        (self.folder / "config.json").write_text(json.dumps(config))
        done = bootsmith(
            "build", "--config", self.folder / "config.json", "--output", self.output, *words,
            env={"BOOTSMITH_CACHE_DIR": str(self.folder / "cache")},
        )  # fmt: skip
        return done.returncode, done.stderr.decode()


def serve_archive(debs: tuple[Deb, ...], folder: Path, **options: object) -> Iterator[Archive]:
    files = repository(debs, **{"key": KEY, **options})  # type: ignore[arg-type]
    with serve(files) as server:
        yield Archive(server, folder)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    yield from serve_archive(PACKAGES, tmp_path)


@pytest.fixture
def unsigned_archive(tmp_path: Path) -> Iterator[Archive]:
    yield from serve_archive(PACKAGES, tmp_path, key=None)


@pytest.fixture
def strangers_archive(tmp_path: Path) -> Iterator[Archive]:
    yield from serve_archive(PACKAGES, tmp_path, key=SigningKey.generate())


def assert_failed(archive: Archive, result: tuple[int, str], *says: str) -> None:
    status, said = result
    assert status in (1, 2), said
    assert "Traceback" not in said
    for text in says:
        assert text in said
    assert not archive.output.exists()
    leftovers = [path.name for path in archive.folder.iterdir()]
    assert [name for name in leftovers if "bootsmith-" in name] == []


def test_a_misspelt_package_stops_before_anything_is_downloaded(archive: Archive) -> None:
    result = archive.build(packages=["helo"])
    assert_failed(archive, result, "error:", "helo", "hello")
    assert not [path for path in archive.server.paths() if path.endswith(".deb")]


def test_a_misspelt_suite_is_no_dead_network(archive: Archive) -> None:
    result = archive.build(suite="bokworm")
    assert_failed(
        archive, result, "no mirror has the suite bokworm", archive.server.url, "bookworm?"
    )


def test_an_impossible_version_is_explained(archive: Archive) -> None:
    assert_failed(archive, archive.build(packages=["hello"]), "libhello", ">= 2", "hello")


def test_an_unsigned_archive_is_refused(unsigned_archive: Archive) -> None:
    assert_failed(unsigned_archive, unsigned_archive.build(), "sign")


def test_a_strangers_signature_is_refused(strangers_archive: Archive) -> None:
    assert_failed(strangers_archive, strangers_archive.build(), "key")


def test_a_tampered_index_is_refused(archive: Archive) -> None:
    for path in list(archive.server.files):
        if "Packages.xz" in path or "by-hash" in path:
            archive.server.files[path] = bytes(archive.server.files[path][:-8]) + b"tampered"
    assert_failed(archive, archive.build(), "digest")


def test_a_tampered_package_is_refused(archive: Archive) -> None:
    (path,) = [path for path in archive.server.files if "/dpkg_" in path]
    data = archive.server.files[path]
    archive.server.files[path] = data[:-1] + bytes([data[-1] ^ 1])
    assert_failed(archive, archive.build(), "digest", "dpkg_1.0_all.deb")


def test_a_truncated_package_is_refused(archive: Archive) -> None:
    (path,) = [path for path in archive.server.files if "/dpkg_" in path]
    archive.server.files[path] = archive.server.files[path][:-10]
    assert_failed(archive, archive.build(), "dpkg_1.0_all.deb", "instead of")


def test_a_mirror_that_dies_half_way(archive: Archive) -> None:
    (path,) = [path for path in archive.server.files if "/dpkg_" in path]
    archive.server.fail_always(path, Fault(silent=True))
    assert_failed(archive, archive.build(), "cannot be reached")


def test_an_architecture_the_archive_does_not_have(archive: Archive) -> None:
    result = archive.build("--arch", "riscv64")
    assert_failed(archive, result, "riscv64", "x86_64")


def test_a_kernel_without_a_kernel(archive: Archive) -> None:
    """Packages without a shell cannot be configured; with the layer of the kernel it is told."""
    assert_failed(archive, archive.build(packages=["libhello"]), "error:")


def test_a_suite_that_is_not_there(archive: Archive) -> None:
    assert_failed(archive, archive.build(suite="nowhere"), "404", "nowhere")


def test_a_mirror_that_is_not_there(archive: Archive) -> None:
    assert_failed(archive, archive.build(mirror="http://127.0.0.1:9"), "cannot be reached")


def test_a_mirror_that_is_no_address(archive: Archive) -> None:
    assert_failed(archive, archive.build(mirror="ftp.debian.org"), "mirror")


def test_offline_with_an_empty_store(archive: Archive) -> None:
    assert_failed(archive, archive.build("--offline"), "--offline")
    assert archive.server.requests == []


def test_a_cache_that_cannot_be_written(archive: Archive) -> None:
    (archive.folder / "cache").write_text("a file in the way")
    assert_failed(archive, archive.build(), "cache")


def test_a_missing_key_file(archive: Archive) -> None:
    assert_failed(archive, archive.build(keys=["other.asc"]), "debian.keys[0]", "other.asc")


def test_a_folder_in_place_of_a_key(archive: Archive) -> None:
    assert_failed(archive, archive.build(keys=["."]), "debian.keys[0]", "it is a folder")


def test_the_home_of_nobody(archive: Archive) -> None:
    assert_failed(archive, archive.build(keys=["~nobody-at-all/x"]), "debian.keys[0]", "~")


def test_an_output_that_is_a_file(archive: Archive) -> None:
    archive.output.write_text("precious")
    status, said = archive.build()
    assert status == 1
    assert "error:" in said
    assert archive.output.read_text() == "precious"


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["build", "--config", "/nonexistent.json"], 2, "/nonexistent.json"),
        (["build", "--preset", "nothing"], 2, "debian"),
        (["build", "--locked", "--output", "/nonexistent"], 2, "lock file"),
        (["exec", "/nonexistent", "--", "true"], 1, "bootsmith build"),
        (["exec", "/nonexistent"], 2, "after --"),
        (["verify", "/nonexistent"], 1, "bootsmith build"),
        (["nothing"], 2, "there is no command"),
    ],
)
def test_usage_and_absent_files(words: list[str], status: int, says: str) -> None:
    done = bootsmith(*words)
    said = done.stderr.decode()
    assert done.returncode == status, said
    assert says in said
    assert "Traceback" not in said


def test_a_bad_epoch(archive: Archive) -> None:
    done = bootsmith(
        "build", "--output", archive.output, env={"SOURCE_DATE_EPOCH": "yesterday", **os.environ}
    )
    assert done.returncode == 2
    assert b"SOURCE_DATE_EPOCH" in done.stderr
