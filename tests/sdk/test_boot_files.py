"""Every way to say what a machine boots, without booting it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootsmith.errors import ConfigError, HostError, ImageError, VMError
from bootsmith.model.arch import Arch
from bootsmith.sdk.boot_files import files_by_name, files_of_folder
from bootsmith.sdk.image import Image
from bootsmith.sdk.library import Library
from bootsmith.sdk.vm import VM
from bootsmith.sdk.vm_options import VMOptions, machine_spec
from bootsmith.vm.machine import Share
from tests.support.kernel_shapes import arm64_image
from tests.support.stored_images import change_manifest, write_small_image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_small_image(tmp_path / "image")
    return tmp_path / "image"


@pytest.fixture
def bare(folder: Path) -> Path:
    """Without a manifest exactly three names count (CONTRACTS §1)."""
    (folder / "manifest.json").unlink()
    return folder


def test_an_image_its_folder_and_its_files_are_the_same(folder: Path) -> None:
    image = VM(Image.open(folder)).files
    assert VM(folder).files.kernel == VM(str(folder)).files.kernel == image.kernel
    by_name = files_by_name(
        kernel=image.kernel, rootfs=image.rootfs, initrd=image.initramfs, boot_args=None
    )
    assert by_name.arch == image.arch
    assert by_name.build_id() == image.build_id() == Image.open(folder).build_id


def test_a_folder_without_a_manifest(folder: Path) -> None:
    build_id = Image.open(folder).build_id
    (folder / "manifest.json").unlink()
    files = files_of_folder(folder)
    assert (files.arch, files.build_id()) == (Arch.X86_64, build_id)


def test_the_architecture_of_a_bare_folder_is_its_kernels(bare: Path) -> None:
    (bare / "vmlinuz-virt").write_bytes(arm64_image())
    assert files_of_folder(bare).arch is Arch.AARCH64


@pytest.mark.parametrize("name", ["initramfs.cpio.lz4", "rootfs.ext4"])
def test_a_bare_folder_that_is_not_whole(bare: Path, name: str) -> None:
    (bare / name).rename(bare / f"{name}.old")
    with pytest.raises(ImageError, match=name):
        VM(bare)


def test_a_kernel_that_is_none(bare: Path) -> None:
    (bare / "vmlinuz-virt").write_bytes(b"no kernel at all" * 100)
    with pytest.raises(ImageError, match="no kernel"):
        VM(bare)


def test_a_name_and_a_build_id_of_the_library(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOTSMITH_IMAGE_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    Library().take(folder, tags=["tools:1"])
    build_id = Image.open(folder).build_id
    for selector in ("tools:1", build_id, build_id[:8]):
        assert VM(selector).files.build_id() == build_id
    with pytest.raises(ImageError, match="tools:2"):
        VM("tools:2")


def test_no_image_named_is_the_default_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BOOTSMITH_GUEST_DIR", raising=False)
    monkeypatch.setenv("GONDOLIN_GUEST_DIR", str(folder))
    assert VM().files.kernel == folder / "vmlinuz-virt"
    monkeypatch.setenv("BOOTSMITH_GUEST_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(ImageError, match="nowhere"):
        VM()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda image: (image / "rootfs.ext4").write_bytes(b"9 bytes ."), "rootfs.ext4 has 9"),
        (lambda image: (image / "vmlinuz-virt").write_bytes(b""), "vmlinuz-virt has 0"),
    ],
    ids=["rootfs of 9 bytes", "empty kernel"],
)
def test_files_cut_short_are_noticed_before_the_boot(
    folder: Path, damage: object, says: str
) -> None:
    assert callable(damage)
    damage(folder)
    with pytest.raises(ImageError, match=says) as caught:
        VM(folder).start()
    assert "bootsmith verify" in str(caught.value.hint)


def test_an_empty_file_is_noticed_also_without_a_manifest(bare: Path) -> None:
    (bare / "rootfs.ext4").write_bytes(b"")
    with pytest.raises(ImageError, match=r"rootfs\.ext4 is empty"):
        VM(bare).start()


def test_a_manifest_of_others_without_sizes_is_no_obstacle(folder: Path) -> None:
    change_manifest(folder, bootsmith={})
    files_of_folder(folder).check_sizes()


def test_what_does_not_go_together(folder: Path) -> None:
    kernel, rootfs = folder / "vmlinuz-virt", folder / "rootfs.ext4"
    with pytest.raises(ImageError, match="both"):
        VM(kernel_path=kernel)
    with pytest.raises(ImageError, match="both"):
        VM(folder, kernel_path=kernel, rootfs_path=rootfs)
    with pytest.raises(ImageError, match="boot_args"):
        VM(folder, boot_args="quiet")
    with pytest.raises(HostError, match="nowhere"):
        VM(kernel_path=folder / "nowhere", rootfs_path=rootfs)
    with pytest.raises(ConfigError, match="one text"):
        VM(kernel_path=kernel, rootfs_path=rootfs, boot_args=["rw"])  # type: ignore[arg-type]


def test_the_whole_command_line_may_be_ones_own(folder: Path) -> None:
    files = files_by_name(
        kernel=folder / "vmlinuz-virt",
        rootfs=folder / "rootfs.ext4",
        initrd=None,
        boot_args="console=ttyS0 reboot=k panic=1 pci=off root=/dev/vda rw init=/init",
    )
    line = machine_spec(files, VMOptions(boot_args=("quiet",))).cmdline
    assert line.startswith("console=ttyS0 reboot=k panic=1 root=/dev/vda rw init=/init ip=10.0.2")
    assert line.endswith(" quiet")
    with pytest.raises(ImageError, match="no build id"):
        files.build_id()


def test_a_command_line_longer_than_a_kernel_reads(folder: Path) -> None:
    with pytest.raises(VMError, match="2047"):
        machine_spec(files_of_folder(folder), VMOptions(boot_args=("x" * 2000,)))


def test_mounts_are_told_to_the_guest(folder: Path, tmp_path: Path) -> None:
    mounts = (Share(host_folder=Path(), guest_folder="/work", readonly=True),)
    spec = machine_spec(files_of_folder(folder), VMOptions(mounts=mounts))
    assert "sandboxfs.bind=/work" in spec.cmdline.split()
    assert spec.shares[0].host_folder == Path.cwd()


def test_a_console_log_that_cannot_be_written(folder: Path, tmp_path: Path) -> None:
    options = VMOptions(console_log=tmp_path / "nowhere" / "log")
    with pytest.raises(HostError, match="nowhere"):
        VM(folder, options=options).start()
