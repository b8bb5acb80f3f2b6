"""The default image: the same bytes anywhere, nothing done twice, every damage found."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from bootsmith.errors import InvalidImage
from bootsmith.host.files import copy_sparse
from bootsmith.sdk.image import Image
from tests.support.debian_images import CACHE, bootsmith, build
from tests.support.judges import judge

pytestmark = pytest.mark.network

NAMES = [
    "bootsmith.lock.json", "initramfs.cpio.lz4", "manifest.json", "rootfs.ext4", "vmlinuz-virt",
]  # fmt: skip


def digests(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def copy_image(source: Path, target: Path) -> Path:
    target.mkdir()
    for path in source.iterdir():
        copy_sparse(path, target / path.name)
    return target


def test_an_image_is_complete_and_right(debian_image: Path) -> None:
    assert sorted(path.name for path in debian_image.iterdir()) == NAMES
    Image.open(debian_image).verify()
    assert bootsmith("verify", debian_image).returncode == 0


@pytest.mark.judge
def test_the_root_file_system_has_nothing_to_repair(debian_image: Path) -> None:
    judge("e2fsck", "-fn", debian_image / "rootfs.ext4")


def test_another_place_time_locale_and_cache_give_the_same_bytes(
    debian_image: Path, tmp_path: Path
) -> None:
    """Everything but the downloads is done again: only blobs are taken along."""
    cache = tmp_path / "other cache"
    shutil.copytree(CACHE / "blobs", cache / "blobs", copy_function=os.link)
    (tmp_path / "tmp").mkdir()
    before = os.umask(0o077)
    try:
        build(
            tmp_path / "image",
            env={
                "BOOTSMITH_CACHE_DIR": str(cache),
                "TMPDIR": str(tmp_path / "tmp"),
                "TZ": "Asia/Kathmandu",
                "LC_ALL": "C",
                "PYTHONHASHSEED": "4711",
                "HOME": str(tmp_path),
                "SECRET_TOKEN": "must-not-be-in-the-image",
            },
        )
    finally:
        os.umask(before)
    assert digests(tmp_path / "image") == digests(debian_image)
    rootfs = (tmp_path / "image" / "rootfs.ext4").read_bytes()
    assert b"must-not-be-in-the-image" not in rootfs


def test_an_unchanged_image_is_left_alone(debian_image: Path) -> None:
    before = (debian_image / "rootfs.ext4").stat()
    assert "Nothing has changed" in build(debian_image)
    after = (debian_image / "rootfs.ext4").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_another_default_in_the_config_is_another_manifest(
    debian_image: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    config.write_text(
        '{"debian": {"packages": ["ca-certificates"]}, "runtimeDefaults": {"rootfsMode": "memory"}}'
    )
    copy = copy_image(debian_image, tmp_path / "copy")
    assert "Nothing has changed" not in build(copy, "--config", config)
    assert Image.open(copy).manifest.rootfs_mode == "memory"
    assert Image.open(copy).build_id == Image.open(debian_image).build_id


def test_an_unsigned_lock_needs_the_users_word(debian_image: Path, tmp_path: Path) -> None:
    fields = json.loads((debian_image / "bootsmith.lock.json").read_text())
    fields["repositories"][0]["signedBy"] = []
    (tmp_path / "lock.json").write_text(json.dumps(fields))
    words = ("build", "--lock", tmp_path / "lock.json", "--output", tmp_path / "image")
    done = bootsmith(*words)
    assert (done.returncode, b"--allow-unsigned" in done.stderr) == (1, True)
    assert b"warning:" in bootsmith(*words, "--allow-unsigned").stderr
    assert Image.open(tmp_path / "image").manifest.record["unsignedRepositories"] == ["bookworm"]


def test_a_damaged_image_is_built_again(debian_image: Path, tmp_path: Path) -> None:
    copy = copy_image(debian_image, tmp_path / "copy")
    with (copy / "rootfs.ext4").open("r+b") as file:
        file.seek(1 << 20)
        file.write(b"damage")
    assert "Nothing has changed" not in build(copy)
    assert digests(copy) == digests(debian_image)


def test_a_lock_builds_the_same_image_offline(debian_image: Path, tmp_path: Path) -> None:
    lock = debian_image / "bootsmith.lock.json"
    said = build(tmp_path / "image", "--locked", "--lock", lock, "--offline")
    assert "Resolving" not in said
    assert digests(tmp_path / "image") == digests(debian_image)


def test_a_lock_for_something_else_is_refused(debian_image: Path, tmp_path: Path) -> None:
    lock = debian_image / "bootsmith.lock.json"
    done = bootsmith(
        "build", "--include", "openssh-server", "--locked", "--lock", lock,
        "--output", tmp_path / "image",
    )  # fmt: skip
    assert done.returncode == 1
    assert b"lock file" in done.stderr
    assert not (tmp_path / "image").exists()


def test_no_mirror_is_named_in_an_image(debian_image: Path) -> None:
    manifest, lock = (debian_image / name for name in ("manifest.json", "bootsmith.lock.json"))
    assert b"http" not in manifest.read_bytes() + lock.read_bytes()
    sources = judge(
        "debugfs", "-R", "cat /etc/apt/sources.list.d/debian.sources", debian_image / "rootfs.ext4"
    )
    assert "http://ftp.debian.org/debian\n" in sources


def flip_a_byte(folder: Path, name: str) -> None:
    with (folder / name).open("r+b") as file:
        file.seek(5000)
        byte = file.read(1)
        file.seek(5000)
        file.write(bytes([byte[0] ^ 0x10]))


def forge_build_id(folder: Path) -> None:
    fields = json.loads((folder / "manifest.json").read_text())
    fields["buildId"] = "00000000-0000-5000-8000-000000000000"
    (folder / "manifest.json").write_text(json.dumps(fields))


def swap_the_kernel_for_a_script(folder: Path) -> None:
    (folder / "vmlinuz-virt").write_text("#!/bin/sh\n")


def lead_outside(folder: Path) -> None:
    (folder / "vmlinuz-virt").unlink()
    (folder / "vmlinuz-virt").symlink_to("/etc/hostname")


@pytest.mark.parametrize(
    ("spoil", "pointer"),
    [
        (lambda folder: flip_a_byte(folder, "rootfs.ext4"), "checksums.rootfs"),
        (lambda folder: flip_a_byte(folder, "initramfs.cpio.lz4"), "checksums.initramfs"),
        (lambda folder: flip_a_byte(folder, "vmlinuz-virt"), "checksums.kernel"),
        (swap_the_kernel_for_a_script, "assets.kernel"),
        (forge_build_id, "buildId"),
        (lead_outside, "assets.kernel"),
    ],
    ids=["rootfs", "initramfs", "kernel", "no-kernel", "build-id", "symlink"],
)
def test_verify_names_what_is_wrong(
    debian_image: Path, tmp_path: Path, spoil: object, pointer: str
) -> None:
    copy = copy_image(debian_image, tmp_path / "copy")
    image = Image.open(copy)
    assert callable(spoil)
    spoil(copy)
    if pointer == "buildId":
        image = Image.open(copy)
    with pytest.raises(InvalidImage) as caught:
        image.verify()
    assert pointer in [failure.pointer for failure in caught.value.failures]


def test_a_kernel_for_another_architecture_is_named(debian_image: Path, tmp_path: Path) -> None:
    copy = copy_image(debian_image, tmp_path / "copy")
    fields = json.loads((copy / "manifest.json").read_text())
    fields["config"]["arch"] = "aarch64"
    (copy / "manifest.json").write_text(json.dumps(fields))
    with pytest.raises(InvalidImage, match="the image is for aarch64"):
        Image.open(copy).verify()
