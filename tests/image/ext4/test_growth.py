"""A guest grows our file system while it runs from it, far beyond what the image was made for."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootsmith.host.files import FileSource
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import GuestPath
from bootsmith.sdk.image import Image
from bootsmith.sdk.vm import VM
from bootsmith.sdk.vm_options import VMOptions
from bootsmith.tree.entry import RegularFile
from bootsmith.vm.drives import with_overlays
from bootsmith.vm.machine import Drive
from tests.support.ext4_images import ImageBlob, content_bytes, read_image
from tests.support.judges import judge, require

pytestmark = [pytest.mark.boot, pytest.mark.network, pytest.mark.judge]

_GROWN_BYTES = 12 << 30


def test_a_root_file_system_grows_under_the_guest(debian_image: Path, tmp_path: Path) -> None:
    require("qemu-system-x86_64")
    require("e2fsck")
    image = Image.open(debian_image)
    options = VMOptions(rootfs_size_bytes=_GROWN_BYTES)
    with VM(image, options=options) as vm:
        size_bytes = int(vm.exec("echo $(($(stat -f -c '%b * %S' /)))").stdout)
        # Directories go to other groups: what is written lands in old and new ones.
        vm.exec(
            "for d in $(seq 60); do mkdir -p /grown/$d && head -c 300000 /dev/urandom >/grown/$d/f;"
            "done; cd /grown && sha256sum */f >sums && sync"
        )
        vm.checkpoint(tmp_path / "changes")
    assert size_bytes > _GROWN_BYTES * 0.9
    grown = _whole_disk(image.rootfs_path, tmp_path)
    judge("e2fsck", "-fn", grown)
    facts = judge("dumpe2fs", "-h", grown)
    assert f"Block count:              {_GROWN_BYTES // 4096}\n" in facts
    assert 20 * image.rootfs_path.stat().st_size < _GROWN_BYTES
    tree = read_image(grown)
    with FileSource(grown) as source:
        blobs = ImageBlob(source)
        contents = {
            path: content_bytes(entry.content, blobs)
            for path, entry in tree.items()
            if path.startswith(b"grown/") and isinstance(entry, RegularFile)
        }
    sums = contents.pop(GuestPath(b"grown/sums"))
    lines = [
        f"{Digest.of(data).hex}  {path.decode().removeprefix('grown/')}\n"
        for path, data in contents.items()
    ]
    assert len(lines) == 60
    assert sorted(lines) == sorted(sums.decode().splitlines(keepends=True))


def _whole_disk(rootfs: Path, folder: Path) -> Path:
    (opened,) = with_overlays((Drive(path=rootfs, checkpoint=folder / "changes"),), folder)
    judge("qemu-img", "convert", "-f", "qcow2", "-O", "raw", opened.path, folder / "disk")
    return folder / "disk"
