"""Fetching images from a registry on loopback, with everything that may go wrong."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bootsmith.errors import BootsmithError, FetchError, ImageNotFound, IntegrityError, UnsafePath
from bootsmith.manifest.manifest import Manifest
from bootsmith.sdk.library import Library, Outcome
from tests.support.http_server import Fault, Server, serve
from tests.support.image_archives import archive, gzipped, link_member
from tests.support.stored_images import change_manifest, write_small_image


class Registry:
    """A server with one image, called ``base:latest``."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.image = folder / "offered"
        self.manifest: Manifest = write_small_image(self.image)
        self.url = server.url + "registry.json"
        self.offer()

    def offer(self, data: bytes | None = None, **source: Any) -> None:
        """Offer this archive, by default that of the image; ``None`` leaves a field out."""
        data = gzipped(archive(self.image)) if data is None else data
        fields = {
            "url": "base.tar.gz",
            "sha256": hashlib.sha256(data).hexdigest(),
            "arch": "x86_64",
            **source,
        }
        build_id = self.manifest.build_id
        registry = {
            "schema": 1,
            "refs": {"base:latest": {"x86_64": build_id}},
            "builds": {build_id: {key: one for key, one in fields.items() if one is not None}},
        }
        self.server.files["base.tar.gz"] = data
        self.server.files["registry.json"] = json.dumps(registry).encode()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with serve({}) as server:
        yield Registry(server, tmp_path)


def assert_nothing_left(library: Library) -> None:
    assert library.images() == ()
    assert list((library.root / "work").glob("*")) == []


def test_an_image_is_pulled(library: Library, registry: Registry) -> None:
    taken = library.pull("base", registry=registry.url)
    assert taken.outcome is Outcome.ADDED
    assert taken.manifest == registry.manifest
    library.open("base:latest").verify()
    assert list((library.root / "work").glob("*")) == []


def test_a_build_id_is_pulled_without_a_name(library: Library, registry: Registry) -> None:
    library.pull(registry.manifest.build_id, registry=registry.url)
    (image,) = library.images()
    assert image.labels == ()


def test_what_is_there_is_not_fetched_again(library: Library, registry: Registry) -> None:
    library.take(registry.image)
    assert library.pull("base", registry=registry.url).outcome is Outcome.PRESENT
    assert registry.server.paths() == ["registry.json"]
    library.open("base").verify()


def test_what_is_damaged_is_fetched_again(library: Library, registry: Registry) -> None:
    rootfs = library.take(registry.image).folder / "rootfs.ext4"
    rootfs.unlink()
    assert library.pull("base", registry=registry.url).outcome is Outcome.REPLACED
    library.open("base").verify()


def test_a_registry_and_archive_in_files(
    library: Library, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, data in registry.server.files.items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    library.pull("base", registry="registry.json")
    library.open("base").verify()


@pytest.mark.parametrize("name", ["BOOTSMITH_IMAGE_REGISTRY", "GONDOLIN_IMAGE_REGISTRY_URL"])
def test_the_registry_of_the_environment(
    library: Library, registry: Registry, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, registry.url)
    library.pull("base")
    library.open("base").verify()


@pytest.mark.parametrize(
    "fault", [Fault(status=503), Fault(cut_after=100), Fault(silent=True)], ids=str
)
def test_a_passing_fault_is_tried_again(library: Library, registry: Registry, fault: Fault) -> None:
    registry.server.fail("base.tar.gz", fault)
    library.pull("base", registry=registry.url)
    library.open("base").verify()


def test_no_digest_is_no_harm(library: Library, registry: Registry) -> None:
    registry.offer(sha256=None, arch=None)
    library.pull("base", registry=registry.url)
    library.open("base").verify()


def test_another_image_without_a_digest_is_found_out(library: Library, registry: Registry) -> None:
    write_small_image(registry.image, "another")
    registry.offer(sha256=None)
    with pytest.raises(IntegrityError, match="its build id is"):
        library.pull("base", registry=registry.url)
    assert_nothing_left(library)


def test_a_claimed_build_id_is_not_believed(library: Library, registry: Registry) -> None:
    write_small_image(registry.image, "another")
    change_manifest(registry.image, buildId=registry.manifest.build_id)
    registry.offer()
    with pytest.raises(IntegrityError, match="its build id is"):
        library.pull("base", registry=registry.url)
    assert_nothing_left(library)


def test_a_tampered_archive(library: Library, registry: Registry) -> None:
    registry.server.files["base.tar.gz"] = gzipped(archive(registry.image)) + b"\0"
    with pytest.raises(IntegrityError, match="its digest is") as told:
        library.pull("base", registry=registry.url)
    assert told.value.url == registry.server.url + "base.tar.gz"
    assert registry.server.paths().count("base.tar.gz") == 1
    assert_nothing_left(library)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../etc/passwd"])
def test_links_in_an_archive(library: Library, registry: Registry, target: str) -> None:
    registry.offer(gzipped(archive(registry.image, after=[link_member("rootfs.ext4", target)])))
    with pytest.raises(UnsafePath):
        library.pull("base", registry=registry.url)
    assert_nothing_left(library)


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (Fault(status=404), FetchError),
        (Fault(status=403), FetchError),
        (Fault(replace_with=b"{"), BootsmithError),
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["registry.json", "base.tar.gz"])
def test_a_server_that_does_not_help(
    library: Library, registry: Registry, path: str, spoil: Fault, kind: type[BootsmithError]
) -> None:
    registry.server.fail_always(path, spoil)
    with pytest.raises(kind):
        library.pull("base", registry=registry.url)
    assert_nothing_left(library)


def test_a_name_that_is_not_offered(library: Library, registry: Registry) -> None:
    with pytest.raises(ImageNotFound) as told:
        library.pull("bas", registry=registry.url)
    assert told.value.similar == ("base:latest",)
