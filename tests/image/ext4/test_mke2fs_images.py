"""Our reader on images of mke2fs, in the variants it knows."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bootsmith.errors import ArchiveError
from bootsmith.host.files import FileSource
from bootsmith.image.ext4 import Ext4Reader
from bootsmith.model.guest_path import GuestPath
from bootsmith.tree.entry import Directory, Fifo, HardLink, RegularFile, Symlink
from tests.support.ext4_images import IMAGE, ImageBlob, content_bytes, read_image
from tests.support.judges import judge

pytestmark = pytest.mark.judge

VARIANTS = {
    "defaults": ["-t", "ext4"],
    "blocks of 1 KiB": ["-t", "ext4", "-b", "1024"],
    "blocks of 2 KiB, 64bit": ["-t", "ext4", "-b", "2048", "-O", "64bit"],
    "ext2": ["-t", "ext2", "-b", "1024"],
    "ext3": ["-t", "ext3", "-b", "4096"],
    "small inodes": ["-t", "ext4", "-b", "4096", "-I", "128"],
    "large inodes": ["-t", "ext4", "-b", "4096", "-I", "1024"],
    "no checksums": ["-t", "ext4", "-O", "^metadata_csum,uninit_bg"],
    "block maps": ["-t", "ext4", "-O", "^extents,^64bit"],
    "meta groups": ["-t", "ext4", "-b", "1024", "-O", "meta_bg,^resize_inode"],
    "two backups": ["-t", "ext4", "-O", "sparse_super2,^resize_inode"],
    "stored seed": ["-t", "ext4", "-O", "metadata_csum_seed"],
    "no flexible groups": ["-t", "ext4", "-b", "1024", "-O", "^flex_bg"],
}


@pytest.fixture
def content(tmp_path: Path) -> Path:
    root = tmp_path / "content"
    (root / "etc/deep/er").mkdir(parents=True)
    (root / "etc/motd").write_bytes(b"hello\n")
    (root / "etc/empty").touch()
    (root / "etc/deep/er/big").write_bytes(bytes(range(256)) * 3000)
    (root / "short").symlink_to("etc/motd")
    (root / "long").symlink_to("x/" * 60 + "y")
    os.link(root / "etc/motd", root / "zz-link")
    os.mkfifo(root / "fifo", 0o640)
    os.chown(root / "etc/motd", 70_000, 5) if os.geteuid() == 0 else None
    os.utime(root / "etc/motd", (1, 1_600_000_000))
    (root / "etc/motd").chmod(0o4751)
    with (root / "sparse").open("wb") as file:
        for offset in (0, 5000, 300_000, 70 << 20):  # all levels of a block map of 1 KiB blocks
            file.seek(offset)
            file.write(b"here %d" % offset)
    (root / "many").mkdir()
    for i in range(300):
        (root / f"many/{i:03}-{'n' * 100}").touch()
    return root


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant(variant: str, content: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    judge("mke2fs", "-q", *VARIANTS[variant], "-d", content, image, "60M")
    tree = read_image(image)
    found = {path for path in tree if path not in (b"", b"lost+found")}
    expected = {os.fsencode(path.relative_to(content)) for path in content.rglob("*")}
    assert found == expected
    with FileSource(image) as source:
        for path in content.rglob("*"):
            name = GuestPath(os.fsencode(path.relative_to(content)))
            entry = tree.inode(name)
            status = path.lstat()
            assert entry.metadata.mode == stat.S_IMODE(status.st_mode)
            assert (entry.metadata.uid, entry.metadata.gid) == (status.st_uid, status.st_gid)
            assert entry.metadata.mtime_ns // 10**9 == int(status.st_mtime)
            if path.is_symlink():
                assert isinstance(entry, Symlink)
                assert entry.target == os.fsencode(path.readlink())
            elif path.is_dir():
                assert isinstance(entry, Directory)
            elif path.is_fifo():
                assert isinstance(entry, Fifo)
            else:
                assert isinstance(entry, RegularFile)
                assert content_bytes(entry.content, ImageBlob(source)) == path.read_bytes()
    assert tree[GuestPath(b"zz-link")] == HardLink(GuestPath(b"etc/motd"))


def test_directories_hashed_by_e2fsck(content: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    judge("mke2fs", "-q", "-t", "ext4", "-d", content, image, "60M")
    judge("e2fsck", "-fyD", image, check=False)
    assert "Flags: 0x81000" in judge("debugfs", "-R", "stat /many", image)
    assert sum(path.startswith(b"many/") for path in read_image(image)) == 300


def test_facts_are_those_of_dumpe2fs(content: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    judge("mke2fs", "-q", "-t", "ext4", "-L", "label", "-d", content, image, "60M")
    said = dict(
        line.split(":", 1) for line in judge("dumpe2fs", "-h", image).splitlines() if ":" in line
    )
    with FileSource(image) as source:
        facts = Ext4Reader(source).facts
    assert facts.label == "label"
    assert facts.uuid.hex() == said["Filesystem UUID"].strip().replace("-", "")
    assert facts.block_count == int(said["Block count"])
    assert facts.free_blocks == int(said["Free blocks"])
    assert facts.inode_count == int(said["Inode count"])
    assert facts.free_inodes == int(said["Free inodes"])
    assert facts.features == tuple(sorted(said["Filesystem features"].split()))


@pytest.mark.parametrize(
    ("feature", "message"),
    [("inline_data", "features not supported"), ("journal_dev", "features not supported")],
)
def test_features_that_are_refused(feature: str, message: str, tmp_path: Path) -> None:
    image = tmp_path / "image"
    judge("mke2fs", "-q", "-t", "ext4", "-b", "4096", "-O", feature, image, "60M")
    with FileSource(image) as source, pytest.raises(ArchiveError, match=message):
        Ext4Reader(source).read_tree(IMAGE)
