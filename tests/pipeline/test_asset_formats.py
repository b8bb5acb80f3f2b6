"""Nine bytes with the right checksum are no root file system, whatever they are called."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from bootsmith.model.arch import Arch
from bootsmith.pipeline.asset_formats import initramfs_problems, kernel_problems, rootfs_problems
from tests.support.ext4_images import file_of, image_bytes, tree_of
from tests.support.kernel_shapes import arm64_image, bzimage
from tests.support.qcow2_files import qcow2_header

EXT4 = image_bytes(tree_of({b"a": file_of(b"x" * 5000)}))
CPIO = b"070701" + b"0" * 104


def damaged(data: bytes, offset: int) -> bytes:
    return data[:offset] + bytes([data[offset] ^ 0xFF]) + data[offset + 1 :]


@pytest.mark.parametrize("name", ["rootfs.ext4", "rootfs.raw", "disk"])
@pytest.mark.parametrize(
    ("data", "good"),
    [
        (EXT4, True),
        (b"", False),
        (b"not ext4\n", False),
        (bytes(1 << 20), False),
        (EXT4[:2048], False),
        (damaged(EXT4, 1024 + 0x38), False),
        (damaged(EXT4, 4096 + 12), False),
        (qcow2_header(), True),
        (qcow2_header(backing=b"/etc/shadow"), False),
        (qcow2_header(features=1 << 2), False),
        (b"QFI\xfb" + bytes(100), False),
        (b"hsqs" + bytes(100), True),
        (bytes(1024) + b"\xe2\xe1\xf5\xe0" + bytes(100), True),
    ],
)
def test_root_file_systems(tmp_path: Path, name: str, data: bytes, good: bool) -> None:
    (tmp_path / name).write_bytes(data)
    problems = list(rootfs_problems(tmp_path / name))
    assert (problems == []) is good
    assert all(problem.pointer == "assets.rootfs" for problem in problems)


@pytest.mark.parametrize(
    ("data", "good"),
    [
        (CPIO, True),
        (gzip.compress(CPIO, mtime=0), True),
        (b"", False),
        (b"not cpio\n", False),
        (gzip.compress(b"not cpio\n", mtime=0), False),
        (gzip.compress(CPIO, mtime=0)[:12], False),
        (b"\x02\x21\x4c\x18\xff\xff\xff\x00x", False),
    ],
)
def test_initramfs(tmp_path: Path, data: bytes, good: bool) -> None:
    (tmp_path / "initramfs").write_bytes(data)
    assert (list(initramfs_problems(tmp_path / "initramfs")) == []) is good


@pytest.mark.parametrize(
    ("data", "arch", "good"),
    [
        (bzimage(b""), Arch.X86_64, True),
        (bzimage(b""), Arch.AARCH64, False),
        (arm64_image(), Arch.AARCH64, True),
        (arm64_image(), Arch.X86_64, False),
        (b"", Arch.X86_64, False),
        (b"not ELF\n", Arch.X86_64, False),
    ],
)
def test_kernels(tmp_path: Path, data: bytes, arch: Arch, good: bool) -> None:
    (tmp_path / "kernel").write_bytes(data)
    assert (list(kernel_problems(tmp_path / "kernel", arch)) == []) is good
