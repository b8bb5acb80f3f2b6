"""A lock comes back as it was written, and a spoilt one is refused with the place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bootsmith.errors import ImageError
from bootsmith.model.arch import Arch
from bootsmith.model.digest import Digest
from bootsmith.plan.lock import (
    Lock,
    LockedArchive,
    LockedPackage,
    LockedRepository,
    check_lock,
    decode_lock,
    encode_lock,
)

PACKAGE = LockedPackage(
    name="hello", version="1.0", arch="all", mirror="debian", path="pool/h/hello_1.0_all.deb",
    digest=Digest.of(b"hello"), size_bytes=5,
)  # fmt: skip
LOCK = Lock(
    config_digest=Digest.of(b"config"),
    arch=Arch.X86_64,
    distro="debian",
    repositories=(
        LockedRepository(mirror="debian", name="bookworm", components=("main",), signed_by=("AB",)),
        LockedRepository(mirror="debian", name="mine", components=("main",), signed_by=()),
    ),
    packages=(PACKAGE,),
    kernel=PACKAGE,
)


def test_a_lock_comes_back() -> None:
    assert decode_lock(encode_lock(LOCK), origin="x") == LOCK


KRUN = LockedPackage(
    name="libkrunfw-x86_64.tgz", version="v5.2.1", arch="x86_64", mirror="libkrunfw",
    path="v5.2.1/libkrunfw-x86_64.tgz", digest=Digest.of(b"krun"), size_bytes=4,
)  # fmt: skip


@pytest.mark.parametrize("krun", [KRUN, "unavailable", None], ids=["archive", "none had", "none"])
def test_what_became_of_libkruns_kernel_comes_back(krun: LockedPackage | str | None) -> None:
    lock = LOCK.model_copy(update={"krun": krun})
    assert decode_lock(encode_lock(lock), origin="x") == lock
    assert (KRUN in lock.blobs()) is (krun is KRUN)
    assert lock.krun_archive == (krun if krun is KRUN else None)


@pytest.mark.parametrize("field", ["krun", "minirootfs"])
def test_a_lock_from_before_there_was_one_is_good(field: str) -> None:
    fields = json.loads(encode_lock(LOCK))
    del fields[field]
    assert decode_lock(json.dumps(fields).encode(), origin="x") == LOCK


@pytest.mark.parametrize(
    "krun",
    ["maybe", {}, {**json.loads(KRUN.model_dump_json(by_alias=True)), "path": "../x.tgz"}],
)
def test_a_spoilt_one_is_refused(krun: Any) -> None:
    fields = json.loads(encode_lock(LOCK)) | {"krun": krun}
    with pytest.raises(ImageError, match=r"not a lock file of this version: krun\."):
        decode_lock(json.dumps(fields).encode(), origin="x")


BASE = LockedArchive(digest=Digest.of(b"base"), size_bytes=4)


def test_what_the_root_begins_as_comes_back_and_is_no_file_of_a_mirror() -> None:
    lock = LOCK.model_copy(update={"minirootfs": BASE})
    assert decode_lock(encode_lock(lock), origin="x") == lock
    assert lock.blobs() == LOCK.blobs()


@pytest.mark.parametrize(
    "spoilt", [{}, {"digest": "sha256:x", "sizeBytes": 4}, {"digest": str(BASE.digest)}, "x"]
)
def test_a_spoilt_one_of_these_is_refused(spoilt: object) -> None:
    fields = json.loads(encode_lock(LOCK)) | {"minirootfs": spoilt}
    with pytest.raises(ImageError, match=r"not a lock file of this version: minirootfs"):
        decode_lock(json.dumps(fields).encode(), origin="x")


@pytest.mark.parametrize(
    ("locked", "wanted"), [(BASE, None), (None, BASE.digest), (BASE, Digest.of(b"other"))]
)
def test_a_lock_is_for_what_the_root_begins_as(
    locked: LockedArchive | None, wanted: Digest | None
) -> None:
    lock = LOCK.model_copy(update={"minirootfs": locked})
    check_lock(lock, LOCK.config_digest, minirootfs=locked.digest if locked else None)
    with pytest.raises(ImageError, match="another minirootfs"):
        check_lock(lock, LOCK.config_digest, minirootfs=wanted)


def test_unsigned_are_told() -> None:
    assert LOCK.unsigned == ("mine",)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("path", "../../etc/passwd"),
        ("path", "pool/../../x"),
        ("mirror", "ubuntu"),
        ("mirror", "ftp://example.org"),
        ("digest", "sha256:zzz"),
        ("sizeBytes", -1),
    ],
)
def test_a_spoilt_package_is_refused_with_its_place(field: str, value: Any) -> None:
    fields = json.loads(encode_lock(LOCK))
    fields["packages"][0][field] = value
    with pytest.raises(ImageError, match=rf"my\.lock.*packages\.0\.{field}"):
        decode_lock(json.dumps(fields).encode(), origin="my.lock")


@pytest.mark.parametrize("data", [b"", b"[]", b'{"version": 1}', b"\xff"])
def test_what_is_no_lock_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match="not a lock file"):
        decode_lock(data, origin="x")


def test_a_lock_of_alpine_names_its_repositories_and_tags() -> None:
    address = "https://example.org/mine"
    package = PACKAGE.model_copy(update={"mirror": address, "path": "x86_64/a.apk", "tag": "mine"})
    repository = LockedRepository(mirror=address, name=address, tag="mine", signed_by=("key",))
    lock = LOCK.model_copy(
        update={"distro": "alpine", "packages": (package,), "repositories": (repository,)}
    )
    assert decode_lock(encode_lock(lock), origin="x") == lock


def test_each_file_is_fetched_once() -> None:
    lock = LOCK.model_copy(update={"packages": (PACKAGE,), "kernel": PACKAGE})
    assert lock.has_kernel_installed
    assert lock.blobs() == (PACKAGE,)
