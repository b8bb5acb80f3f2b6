"""Images that begin as a minirootfs: the real one, and one made on the spot."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bootsmith.host.files import FileSource
from bootsmith.host.namespaces import namespace_support
from bootsmith.image.ext4 import Ext4Reader
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import display
from bootsmith.sdk.image import Image
from bootsmith.sdk.vm import VM
from bootsmith.store.blobs import Store
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import RegularFile
from tests.support.alpine_mirrors import AlpineMirror, generated_mirror, real_mirror
from tests.support.alpine_repository import Apk, apk
from tests.support.debian_images import bootsmith
from tests.support.http_server import serve
from tests.support.image_archives import file_member
from tests.support.judges import require, unavailable
from tests.support.minirootfs import changed, packed, put, system
from tests.support.real_alpine import real_minirootfs

pytestmark = [
    pytest.mark.network,  # where Debian's kernel is not cached yet
    pytest.mark.slow,
    pytest.mark.xdist_group("alpine-minirootfs"),  # one image for all of them
]

COMMANDS = ["mkdir /opt/made; apk info | sort >/opt/made/info; apk audit --system >/opt/made/audit"]
MINE = {
    "etc/motd": b"mine\n",  # a package's
    "etc/own.conf": b"own\n",
    "opt/tool/program": b"#!/bin/sh\n",
}


def packed_again(tar: bytes, more: Mapping[str, bytes]) -> bytes:
    """The same archive, uncompressed, with other files at the end."""
    buffer = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(tar)) as old,
        tarfile.open(fileobj=buffer, mode="w") as new,
    ):
        for member in old:
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
        for path, data in more.items():
            info, _ = file_member(path, data)
            new.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def generated_base(folder: Path) -> bytes:
    """A system whose packages are older than those of ``generated_mirror``, and changed."""
    store = Store(folder / "base-store")
    layout: dict[str, Any] = {"etc/motd": b"old\n", "etc/os-release": b"old\n", "bin/old": b"x"}
    packages: list[Apk] = [apk(name="alpine-baselayout", version="0.1", files=layout)]
    tree = system(store, *packages, world=["alpine-baselayout", "hello"])

    def change(builder: Any) -> None:
        for path, data in MINE.items():
            put(builder, path, data)

    return packed(changed(tree, change), store)


def real_base(_: Path) -> bytes:
    """The real minirootfs with more in it."""
    return packed_again(real_minirootfs().read_bytes(), MINE)


@dataclass(frozen=True, slots=True)
class Built:
    """A mirror, a config for it that names ``base``, and the image that was made."""

    mirror: AlpineMirror
    base: Path
    image: Path
    store: Path

    def config(self, source: object = None) -> Path:
        """A config that begins with ``source``, or with ``base``."""
        alpine = {"minirootfs": source or self.base.name}
        number = len(list(self.mirror.folder.glob("config-*")))
        return self.mirror.config(
            "linux-virt", name=f"config-{number}.json", alpine=alpine,
            postBuild={"commands": COMMANDS},
        )  # fmt: skip

    def build(self, config: Path, output: Path, *words: str | Path) -> tuple[int, str]:
        env = {"BOOTSMITH_CACHE_DIR": str(self.store)}
        done = bootsmith("build", "-c", config, "-o", output, "--krun", "off", *words, env=env)
        return done.returncode, (done.stdout + done.stderr).decode()

    def other_store(self, folder: Path) -> Built:
        return Built(self.mirror, self.base, self.image, folder)


@pytest.fixture(scope="module", params=["generated", "real"])
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Built]:
    if namespace_support().kind == "none":
        unavailable(namespace_support().reason)
    folder = tmp_path_factory.mktemp(request.param)
    make, offered = {
        "generated": (generated_base, generated_mirror),
        "real": (real_base, real_mirror),
    }[request.param]
    data = make(folder)
    with offered(folder / "mirror") as mirror:
        base = folder / "mirror/base.tar.gz"
        base.write_bytes(data)
        made = Built(mirror, base, folder / "image", folder / "store")
        status, said = made.build(made.config(), made.image)
        assert status == 0, said
        yield made


def contents(image: Path) -> Mapping[str, bytes]:
    """The small files of an image."""
    with FileSource(image / "rootfs.ext4") as source:
        return {
            display(path): read_content(entry.content, blobs=_Image(source))
            for path, entry in Ext4Reader(source).read_tree(Digest.of(b"image")).items()
            if isinstance(entry, RegularFile) and entry.content.size_bytes < 1 << 20
        }


@dataclass(frozen=True, slots=True)
class _Image:
    source: FileSource

    def open_blob(self, blob: Digest) -> FileSource:
        return self.source


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_the_image_is_made_of_it_and_of_packages(built: Built) -> None:
    found = contents(built.image)
    for path, data in MINE.items():
        assert found[path] == data
    assert b"motd" not in found["opt/made/audit"]
    if built.mirror.alpine:  # the real packages
        assert found["etc/motd.apk-new"].startswith(b"Welcome to Alpine!")
        assert found["opt/made/audit"] == b""
    assert "bin/old" not in found
    assert b"apk-tools\n" in found["opt/made/info"]
    lock = json.loads((built.image / "bootsmith.lock.json").read_text())
    assert sorted(found["opt/made/info"].decode().split()) == sorted(
        one["name"] for one in lock["packages"]
    )


def test_lock_and_manifest_tell_what_it_was(built: Built) -> None:
    lock = json.loads((built.image / "bootsmith.lock.json").read_text())
    manifest = json.loads((built.image / "manifest.json").read_text())
    data = built.base.read_bytes()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert lock["minirootfs"] == {"digest": digest, "sizeBytes": len(data)}
    assert manifest["bootsmith"]["minirootfs"] == {"digest": digest, "pinned": False}


def test_its_world_is_asked_for_too(built: Built) -> None:
    found = contents(built.image)
    theirs = {"alpine-baselayout"} if built.mirror.alpine else {"hello", "alpine-baselayout"}
    assert theirs <= set(found["etc/apk/world"].decode().split())
    assert theirs <= set(found["opt/made/info"].decode().split())


@pytest.mark.boot
def test_it_boots_and_its_own_apk_is_content(built: Built) -> None:
    require("qemu-system-x86_64")
    with VM(Image.open(built.image)) as vm:
        assert vm.exec("cat /etc/motd /etc/own.conf").stdout == "mine\nown\n"
        installed = vm.exec("apk info 2>/dev/null | sort").stdout
        assert installed == contents(built.image)["opt/made/info"].decode()
        if built.mirror.alpine:  # the real packages
            assert vm.exec("apk audit --system").stdout == ""
            assert "etc/motd" in vm.exec("apk audit --backup").stdout
            assert "OK: " in vm.exec("apk fix --simulate --no-network 2>/dev/null").stdout


def test_nothing_is_done_twice(built: Built) -> None:
    config = built.mirror.folder / "config-0.json"
    assert "Nothing has changed" in built.build(config, built.image)[1]
    assert "Nothing has changed" in built.build(config, built.image, "--offline", "--locked")[1]


def test_another_store_makes_the_same_bytes(built: Built, tmp_path: Path) -> None:
    other = built.other_store(tmp_path / "store")
    status, said = other.build(built.mirror.folder / "config-0.json", tmp_path / "image")
    assert status == 0, said
    assert digests(tmp_path / "image") == digests(built.image)


def test_a_lock_holds_for_one_minirootfs_only(built: Built, tmp_path: Path) -> None:
    """Another file at the same place, and a lock that was changed by hand."""
    lock = built.image / "bootsmith.lock.json"
    other = built.base.with_name("other.tar")
    other.write_bytes(packed_again(built.base.read_bytes(), {"etc/motd": b"another\n"}))
    for config in (built.config("other.tar"), built.mirror.config("linux-virt", name="none.json")):
        status, said = built.build(config, tmp_path / "image", "--lock", lock)
        assert status == 1
        assert "another minirootfs" in said
    fields = json.loads(lock.read_text())
    fields["minirootfs"]["digest"] = f"sha256:{'0' * 64}"
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps(fields))
    status, said = built.build(built.config(), tmp_path / "image", "--lock", forged)
    assert (status, "another minirootfs" in said) == (1, True), said
    assert not (tmp_path / "image").exists()
    # Without a lock it is another image.
    status, said = built.build(built.config("other.tar"), tmp_path / "image")
    assert status == 0, said
    assert contents(tmp_path / "image")["etc/motd"] == b"another\n"


def test_one_at_an_address_is_fetched_once_and_is_the_same(built: Built, tmp_path: Path) -> None:
    data = built.base.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    other = built.other_store(tmp_path / "store")
    shutil.copytree(built.store / "blobs", tmp_path / "store/blobs")
    (tmp_path / "store/blobs/sha256" / digest).unlink()
    with serve({"base.tar.gz": data}) as server:
        config = built.config({"source": f"{server.url}base.tar.gz", "sha256": digest})
        lock = built.image / "bootsmith.lock.json"
        words = ("--lock", lock)
        refused = other.build(config, tmp_path / "image", *words, "--offline")
        assert (refused[0], "is not in the store" in refused[1]) == (1, True), refused[1]
        assert server.requests == []
        for number in range(2):
            output = tmp_path / f"image-{number}"
            status, said = other.build(config, output, *words, *(["--offline"] if number else []))
            assert status == 0, said
            assert len(server.requests) == 1
            assert digests(output)["rootfs.ext4"] == digests(built.image)["rootfs.ext4"]
    manifest = json.loads((tmp_path / "image-0/manifest.json").read_text())
    assert manifest["bootsmith"]["minirootfs"]["pinned"] is True


def test_another_one_than_the_config_says_is_not_taken(built: Built, tmp_path: Path) -> None:
    wrong = hashlib.sha256(b"another").hexdigest()
    right = hashlib.sha256(built.base.read_bytes()).hexdigest()
    other = built.other_store(tmp_path / "store")
    with serve({"base.tar.gz": built.base.read_bytes()}) as server:
        for source in (built.base.name, f"{server.url}base.tar.gz"):
            config = built.config({"source": source, "sha256": wrong})
            status, said = other.build(config, tmp_path / "image")
            assert status == 1
            assert f"has the digest sha256:{right}" in said
            assert "alpine.minirootfs.sha256 is another" in said
    assert not (tmp_path / "image").exists()
    assert right not in {path.name for path in (tmp_path / "store").rglob("*")}


HOSTILE: dict[str, tuple[Mapping[str, bytes], str]] = {
    "climbing": ({"../../canary/new": b"x"}, "a path climbs with '..'"),
    "lying": ({"lib/apk/db/installed": b"P:a\nF:../../canary\nR:file\n"}, "a path climbs"),
    "foreign": ({"etc/apk/arch": b"riscv64\n"}, "it is a root of 'riscv64'"),
    "senseless": ({"etc/apk/world": b"a b<>c\n"}, "etc/apk/world"),
    "unknown": ({"etc/apk/world": b"busibox\n"}, "the minirootfs asks for busibox"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_one_ends_the_build_before_it_begins(
    name: str, built: Built, tmp_path: Path
) -> None:
    files, says = HOSTILE[name]
    canary = tmp_path / "canary"
    canary.mkdir()
    (canary / "file").write_text("untouched")
    hostile = built.base.with_name(f"{name}.tar")
    hostile.write_bytes(packed_again(built.base.read_bytes(), files))
    asked = len(built.mirror.server.requests)
    status, said = built.build(built.config(hostile.name), tmp_path / "a/b/image")
    assert status == 1, said
    assert says in said
    assert [path.read_text() for path in canary.iterdir()] == ["untouched"]
    assert not (tmp_path / "a/b/image").exists()
    assert not [one for one in built.mirror.server.paths()[asked:] if one.endswith(".apk")]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (None, "alpine.minirootfs: cannot read"),
        (b"", "an empty file is no tar archive"),
        (b"#!/bin/sh\necho hello\n" * 99, "no tar header at byte 0"),
        (gzip.compress(bytes(96 << 20), 1), "what it unpacks to is more than"),
        (b"\x1f\x8b\x08\0nothing", "damaged .gz data"),
    ],
    ids=["missing", "empty", "text", "bomb", "damaged"],
)
def test_what_is_no_minirootfs_is_told(
    data: bytes | None, says: str, built: Built, tmp_path: Path
) -> None:
    if data is not None:
        built.base.with_name("none.tar").write_bytes(data)
    name = "nowhere.tar" if data is None else "none.tar"
    status, said = built.build(built.config(name), tmp_path / "image")
    assert (status, says in said) == (2 if data is None else 1, True), said
    assert name in said
    assert not (tmp_path / "image").exists()
