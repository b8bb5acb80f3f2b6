"""Machines with more than their image: shares, larger disks, checkpoints, other ways in."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from bootsmith.errors import ImageError, ImageNotFound, VMError
from bootsmith.sdk.vm import VM
from bootsmith.sdk.vm_options import VMOptions
from bootsmith.vm.machine import Share
from tests.support.debian_images import CACHE
from tests.support.judges import require
from tests.support.stored_images import write_small_image

pytestmark = [pytest.mark.boot, pytest.mark.network]


@pytest.fixture(autouse=True)
def _qemu() -> None:
    require("qemu-system-x86_64")


def copied(image: Path, target: Path, *, manifest: bool) -> Path:
    """The image at another place; its large files are links to the same bytes."""
    target.mkdir()
    for path in image.iterdir():
        if manifest or path.name != "manifest.json":
            try:
                os.link(path, target / path.name)
            except OSError:
                shutil.copy(path, target)
    return target


def test_a_bare_folder_that_grows_and_is_kept(debian_image: Path, tmp_path: Path) -> None:
    """From a folder without a manifest to a checkpoint that finds it elsewhere."""
    bare = copied(debian_image, tmp_path / "bare", manifest=False)
    saved = tmp_path / "saved.qcow2"
    with VM(bare, options=VMOptions(rootfs_size_bytes=3 << 30)) as vm:
        assert int(vm.exec("df --output=size -B1 / | tail -1").stdout) > 2.7 * (1 << 30)
        vm.exec("echo kept > /usr/local/note")
        vm.checkpoint(saved)
        with pytest.raises(VMError, match="does not run"):
            vm.exec("true")
    shutil.move(bare, tmp_path / "elsewhere")
    saved.rename(tmp_path / "elsewhere" / "moved.qcow2")
    with VM.resume(tmp_path / "elsewhere" / "moved.qcow2") as again:
        assert again.exec("cat /usr/local/note").stdout == "kept\n"
        assert int(again.exec("df --output=size -B1 / | tail -1").stdout) > 2.7 * (1 << 30)


def test_a_checkpoint_without_its_image(
    debian_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BOOTSMITH_GUEST_DIR", "GONDOLIN_GUEST_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BOOTSMITH_IMAGE_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    saved = tmp_path / "saved.qcow2"
    with VM(debian_image) as vm:
        vm.checkpoint(saved)
    with pytest.raises(ImageNotFound, match=VM(debian_image).files.build_id()):
        VM.resume(saved)
    write_small_image(tmp_path / "other")
    with pytest.raises(ImageError, match="belongs to the image"):
        VM.resume(saved, tmp_path / "other")
    monkeypatch.setenv("BOOTSMITH_GUEST_DIR", str(debian_image))
    assert VM.resume(saved).files.rootfs == debian_image / "rootfs.ext4"
    with pytest.raises(VMError, match="no checkpoint"):
        VM.resume(debian_image / "rootfs.ext4")


def test_only_what_was_kept_can_be_kept(debian_image: Path, tmp_path: Path) -> None:
    with VM(debian_image, options=VMOptions(rootfs_mode="memory")) as vm:
        with pytest.raises(VMError, match="mode memory has no changes to keep"):
            vm.checkpoint(tmp_path / "saved")
        assert vm.exec("echo on").stdout == "on\n"
    assert list(tmp_path.iterdir()) == []


def test_a_shared_folder_that_is_removed_meanwhile(debian_image: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "sub").mkdir(parents=True)
    (work / "file").write_text("here")
    options = VMOptions(mounts=(Share(host_folder=work, guest_folder="/work"),))
    with VM(debian_image, options=options) as vm:
        assert vm.exec("cat /work/file").stdout == "here"
        shutil.rmtree(work)
        gone = vm.exec("sleep 1.5; cat /work/file; echo x > /work/new; ls /work/sub", timeout_s=60)
        assert gone.exit_code != 0
        assert "No such file" in gone.stderr
        assert vm.exec("echo on", timeout_s=60).stdout == "on\n"
    assert not work.exists()


def test_files_named_one_by_one(debian_image: Path) -> None:
    vm = VM.create(image_path=debian_image)
    try:
        assert vm.exec("echo created").stdout == "created\n"
    finally:
        vm.close()
    by_name = VM(
        kernel_path=debian_image / "vmlinuz-virt",
        initrd_path=debian_image / "initramfs.cpio.lz4",
        rootfs_path=debian_image / "rootfs.ext4",
        boot_args="console=ttyS0 reboot=k panic=1 pci=off root=/dev/vda rw init=/init",
        options=VMOptions(console_log=None),
    )
    with by_name as vm:
        assert "pci=off" not in vm.exec("cat /proc/cmdline").stdout


def test_a_disk_does_not_shrink(debian_image: Path) -> None:
    with pytest.raises(VMError, match="cannot be made smaller"):
        VM(debian_image, options=VMOptions(rootfs_size_bytes=1 << 20)).start()


@pytest.mark.filterwarnings("default:package scripts run in a virtual machine")
def test_a_config_is_built_first_and_found_the_next_time(
    monkeypatch: pytest.MonkeyPatch, debian_image: Path
) -> None:
    monkeypatch.setenv("BOOTSMITH_CACHE_DIR", str(CACHE))
    config = {"arch": "x86_64", "env": {"GREETING": "built for this"}}
    with VM(config) as vm:
        assert vm.exec("echo $GREETING").stdout == "built for this\n"
    again = VM(config)
    try:
        assert again.files.build_id() == vm.files.build_id()
        assert again.files.rootfs.is_relative_to(CACHE / "built")
    finally:
        shutil.rmtree(vm.files.rootfs.parent)


def test_a_root_file_system_that_is_none(debian_image: Path, tmp_path: Path) -> None:
    bare = copied(debian_image, tmp_path / "bare", manifest=False)
    (bare / "rootfs.ext4").unlink()
    (bare / "rootfs.ext4").write_bytes(bytes(1 << 20))
    with pytest.raises(VMError, match="init gave up: cannot mount /dev/vda") as caught:
        VM(bare).start()
    assert "bootsmith verify" in str(caught.value.hint)


def test_a_share_that_a_read_only_root_has_no_place_for(debian_image: Path, tmp_path: Path) -> None:
    mounts = (Share(host_folder=tmp_path, guest_folder="/not/in/the/image"),)
    with pytest.raises(VMError, match="/not/in/the/image"):
        VM(debian_image, options=VMOptions(rootfs_mode="readonly", mounts=mounts)).start()
