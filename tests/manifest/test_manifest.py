"""The manifest as Gondolin's host reads it, and as an attacker writes it."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from bootsmith.errors import BootsmithError, ImageError, UnsafePath
from bootsmith.manifest.build_id import build_id
from bootsmith.manifest.manifest import Artifact, Manifest, decode_manifest, encode_manifest
from bootsmith.model.arch import Arch
from bootsmith.model.digest import Digest

KERNEL, INITRAMFS, ROOTFS = (Digest.of(text) for text in (b"k", b"i", b"r"))


def manifest(**changes: Any) -> Manifest:
    fields: dict[str, Any] = {
        "arch": Arch.X86_64,
        "build_time": "2024-01-01T00:00:00Z",
        "artifacts": {
            "kernel": Artifact(name="vmlinuz-virt", digest=KERNEL, size_bytes=1),
            "initramfs": Artifact(name="initramfs.cpio.lz4", digest=INITRAMFS, size_bytes=1),
            "rootfs": Artifact(name="rootfs.ext4", digest=ROOTFS, size_bytes=1),
        },
        "config": {"arch": "x86_64", "distro": "debian"},
        "record": {"planId": "sha256:00"},
    }
    return Manifest(**{**fields, **changes})


def test_the_build_id_is_the_published_recipe() -> None:
    text = "\n".join(
        [
            "gondolin-asset-build",
            f"kernel={KERNEL.hex}",
            f"initramfs={INITRAMFS.hex}",
            f"rootfs={ROOTFS.hex}",
            f"krunKernel={KERNEL.hex}",
            "arch=aarch64",
        ]
    )
    checksums = {
        "rootfs": ROOTFS, "krunKernel": KERNEL, "kernel": KERNEL, "initramfs": INITRAMFS,
    }  # fmt: skip
    namespace = uuid.UUID("7b6ed0c0-7e7f-4c2a-8b2d-0bf3d5be9d52")
    assert build_id(checksums, Arch.AARCH64) == uuid.uuid5(namespace, text)


def test_a_manifest_comes_back() -> None:
    written = manifest(rootfs_mode="cow")
    read = decode_manifest(encode_manifest(written))
    assert read.claimed_build_id == written.build_id == read.build_id
    assert (read.artifacts, read.rootfs_mode) == (written.artifacts, "cow")
    assert read.plan_id == "sha256:00"


def test_the_fields_are_those_gondolin_reads() -> None:
    fields = json.loads(encode_manifest(manifest(rootfs_mode="memory")))
    assert fields["version"] == 1
    assert fields["assets"] == {
        "kernel": "vmlinuz-virt",
        "initramfs": "initramfs.cpio.lz4",
        "rootfs": "rootfs.ext4",
    }
    assert fields["checksums"]["rootfs"] == ROOTFS.hex
    assert fields["runtimeDefaults"] == {"rootfsMode": "memory"}
    assert fields["config"]["arch"] == "x86_64"


def test_a_float_is_refused() -> None:
    with pytest.raises(TypeError):
        encode_manifest(manifest(record={"seconds": 1.5}))


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"version": 2}, ImageError, "version 2"),
        ({"assets": None}, ImageError, "assets"),
        ({"assets": {"kernel": "../../etc/passwd"}}, UnsafePath, "plain file name"),
        ({"assets": {"kernel": "/etc/passwd"}}, UnsafePath, "plain file name"),
        ({"assets": {"kernel": ".."}}, UnsafePath, "plain file name"),
        ({"assets": {"kernel": 3}}, ImageError, "assets.kernel"),
        ({"checksums": {}}, ImageError, "checksums.kernel"),
        ({"checksums": {"kernel": "xyz"}}, ImageError, "not a digest"),
        ({"config": {}}, ImageError, "config.arch"),
        ({"config": {"arch": "vax"}}, BootsmithError, "vax"),
    ],
)
def test_a_bad_manifest_is_refused(
    change: dict[str, Any], kind: type[Exception], says: str
) -> None:
    fields = {**json.loads(encode_manifest(manifest())), **change}
    with pytest.raises(kind, match=says):
        decode_manifest(json.dumps(fields).encode())


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff"])
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError):
        decode_manifest(data)
