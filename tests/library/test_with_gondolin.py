"""Gondolin's own programs and ours on the same images, the same library, the same registry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootsmith.errors import InvalidImage
from bootsmith.sdk.image import Image
from bootsmith.sdk.library import Library, Outcome
from tests.support.gondolin_build import KRUN_KERNEL, gondolin, gondolin_build, mirror, store_of
from tests.support.gondolin_host import GondolinHost, gondolin_host
from tests.support.http_server import serve
from tests.support.judges import require
from tests.support.stored_images import write_small_image

pytestmark = pytest.mark.judge


@pytest.fixture(scope="module")
def host() -> Iterator[GondolinHost]:
    """Its host, after ``gondolin build --output … --tag tiny:1``."""
    for tool in ("cpio", "lz4", "mke2fs"):
        require(tool)
    with gondolin_host() as host, serve(mirror()) as server:
        done = gondolin_build(
            host, "--output", host.home / "assets", "--tag", "tiny:1",
            mirror_url=server.url, runtimeDefaults={"rootfsMode": "readonly"},
        )  # fmt: skip
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
        yield host


@pytest.fixture
def assets(host: GondolinHost) -> Path:
    return host.home / "assets"


def test_verify_passes_on_its_images(assets: Path) -> None:
    image = Image.open(assets)
    image.verify()
    claimed = json.loads((assets / "manifest.json").read_text())["buildId"]
    assert image.build_id == claimed
    assert image.manifest.rootfs_mode == "readonly"
    assert (assets / "krun-kernel").read_bytes() == KRUN_KERNEL
    assert (assets / "krun-empty-initrd").read_bytes() == b""


@pytest.mark.parametrize(
    "name", ["vmlinuz-virt", "initramfs.cpio.lz4", "rootfs.ext4", "krun-kernel"]
)
def test_a_flipped_byte_in_its_images_is_found(assets: Path, tmp_path: Path, name: str) -> None:
    for path in assets.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / name).open("r+b") as file:
        file.seek(20)
        byte = file.read(1)
        file.seek(20)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(InvalidImage, match=f"{name} has the digest"):
        Image.open(tmp_path).verify()


def test_its_images_are_taken_in(library: Library, assets: Path) -> None:
    taken = library.take(assets, tags=["tiny"])
    assert sorted(path.name for path in taken.folder.iterdir()) == sorted(
        path.name for path in assets.iterdir()
    )
    library.open("tiny").verify()


def test_its_images_go_through_an_archive(library: Library, assets: Path, tmp_path: Path) -> None:
    """The initramfs of its krun boot is an empty file."""
    library.take(assets, tags=["tiny"])
    library.export("tiny", tmp_path / "tiny.tar.zst")
    other = Library(tmp_path / "other")
    taken = other.take(tmp_path / "tiny.tar.zst", tags=["tiny"])
    assert (taken.folder / "krun-empty-initrd").read_bytes() == b""
    other.open("tiny").verify()


def test_its_library_is_read(host: GondolinHost, assets: Path) -> None:
    library = Library(store_of(host))
    (image,) = library.images()
    assert [str(label.reference) for label in image.labels] == ["tiny:1"]
    assert library.open("tiny:1").build_id == Image.open(assets).build_id
    assert library.problems(image.build_id) == ()


def test_its_image_is_taken_out_of_its_library(host: GondolinHost, library: Library) -> None:
    theirs = Library(store_of(host)).select("tiny:1")
    assert library.take(theirs.folder, tags=["ours"]).outcome is Outcome.ADDED
    # Its files are writable: they must not become a part of what nobody writes to.
    assert (
        not library.select("ours")
        .folder.joinpath("rootfs.ext4")
        .samefile(theirs.folder / "rootfs.ext4")
    )


def test_it_reads_our_library(host: GondolinHost, library: Library, tmp_path: Path) -> None:
    manifest = write_small_image(tmp_path / "image")
    library.take(tmp_path / "image", tags=["my/tools:1.0"])
    store = {"GONDOLIN_IMAGE_STORE": str(library.root)}
    listed = gondolin(host, "image", "ls", **store)
    assert listed.stdout.decode() == f"my/tools:1.0  x86_64={manifest.build_id}\n"
    told = gondolin(host, "image", "inspect", "my/tools:1.0", **store)
    assert f"buildId: {manifest.build_id}" in told.stdout.decode(), told.stderr.decode()
    tagged = gondolin(host, "image", "tag", "my/tools:1.0", "theirs", **store)
    assert tagged.returncode == 0, tagged.stderr.decode()
    assert library.open("theirs").build_id == manifest.build_id


def test_it_pulls_what_we_export(host: GondolinHost, library: Library, tmp_path: Path) -> None:
    manifest = write_small_image(tmp_path / "image", "pulled")
    library.take(tmp_path / "image", tags=["tools"])
    library.export("tools", tmp_path / "tools.tar.gz")
    data = (tmp_path / "tools.tar.gz").read_bytes()
    registry = {
        "schema": 1,
        "refs": {"tools:latest": {"x86_64": manifest.build_id}},
        "builds": {
            manifest.build_id: {
                "url": "tools.tar.gz", "sha256": hashlib.sha256(data).hexdigest(),
            }
        },
    }  # fmt: skip
    files = {"tools.tar.gz": data, "registry.json": json.dumps(registry).encode()}
    with serve(files) as server:
        url = server.url + "registry.json"
        store = tmp_path / "theirs"
        done = gondolin(
            host, "image", "pull", "tools",
            GONDOLIN_IMAGE_STORE=str(store), GONDOLIN_IMAGE_REGISTRY_URL=url,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        assert Library(store).open("tools").build_id == manifest.build_id
        ours = Library(tmp_path / "ours")
        ours.pull("tools", registry=url)
        ours.open("tools").verify()
