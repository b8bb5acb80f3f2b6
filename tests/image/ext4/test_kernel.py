"""The kernel mounts what we write, and sees every entry as the tree has it."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import subprocess
from pathlib import Path

import pytest

from bootsmith.host.files import FileSource
from bootsmith.image.ext4 import Profile
from bootsmith.image.ext4.inode import decode_time, encode_time
from bootsmith.model.guest_path import GuestPath
from bootsmith.tree.entry import (
    Device,
    Directory,
    Entry,
    Fifo,
    HardLink,
    Metadata,
    RegularFile,
    Symlink,
)
from bootsmith.tree.file_tree import FileTree
from tests.image.ext4.boundary_trees import BOUNDARIES, boundary_tree
from tests.support.ext4_images import (
    DIRECTORY,
    ImageBlob,
    comparable,
    content_bytes,
    e2fsck,
    file_of,
    read_image,
    tree_of,
    write_image,
)
from tests.support.judges import judge, require
from tests.support.loop_mount import mounted
from tests.support.memory_blobs import MemoryBlobs

pytestmark = [pytest.mark.judge, pytest.mark.root]

_TOO_LARGE_TO_READ = frozenset({"only a hole", "over four gigabytes"})
_MANY_ENTRIES = frozenset(
    {"a directory of 50,000", "as many hard links as there can be", "an index of two levels"}
)
_TYPES = {
    RegularFile: stat.S_IFREG,
    Directory: stat.S_IFDIR,
    Symlink: stat.S_IFLNK,
    Fifo: stat.S_IFIFO,
}
MIB = 1 << 20


def merged_tree(*, without: frozenset[str]) -> FileTree:
    """The boundary trees as directories of one, but those of the names ``without``."""
    entries: dict[bytes, Entry] = {}
    for name in BOUNDARIES:
        if name in without:
            continue
        top = name.encode()
        for path, entry in boundary_tree(name).items():
            target = entry
            if isinstance(entry, HardLink):
                target = HardLink(GuestPath(top + b"/" + entry.target))
            entries[top + b"/" + path if path else top] = target
    return tree_of(entries)


def test_every_entry_is_what_the_tree_says(tmp_path: Path) -> None:
    tree = merged_tree(without=_TOO_LARGE_TO_READ | {"as many hard links as there can be"})
    image = tmp_path / "image"
    write_image(image, tree)
    names = _name_counts(tree)
    inodes: dict[int, GuestPath] = {}
    with mounted(image) as root:
        for path, entry in tree.items():
            found = os.fsencode(root) + b"/" + path
            status = os.lstat(found)
            first = inodes.setdefault(status.st_ino, path)
            if isinstance(entry, HardLink):
                assert _target(tree, first) == entry.target, path
                continue
            assert first == path or _target(tree, first) == path, path
            _compare(found, status, entry)
            assert status.st_nlink == names[path], path
        seen = sum(len(files) + len(folders) for _, folders, files in os.walk(os.fsencode(root)))
    assert seen == len(tree), "the root is not counted, but lost+found is"


def test_sizes_and_holes_over_four_gigabytes(tmp_path: Path) -> None:
    image = tmp_path / "image"
    write_image(image, boundary_tree("over four gigabytes"))
    with mounted(image) as root, (root / "s").open("rb") as file:
        assert (root / "s").stat().st_size == 5 << 30
        assert (root / "s").stat().st_blocks * 512 < 100_000
        file.seek((4 << 30) - 3)
        assert file.read(17) == b"across the border"
        file.seek(-1, os.SEEK_END)
        assert file.read() == b"!"


def test_a_mounted_image_can_be_written(tmp_path: Path) -> None:
    """New names go through the kernel's own hash: it must find them where we would put them."""
    tree = tree_of({b"d": DIRECTORY, **{b"d/%05d" % i: file_of(b"old") for i in range(3000)}})
    image = tmp_path / "image"
    write_image(image, tree, profile=Profile.READ_WRITE, free_bytes=16 * MIB)
    with mounted(image, options="rw") as root:
        for i in range(3000):
            if i % 3 == 0:
                (root / f"d/{i:05}").unlink()
        for i in range(1000):
            (root / f"d/new-ü-{i}").write_bytes(b"new")
        (root / "large").write_bytes(b"x" * 10 * MIB)
    e2fsck_after_mount(image)
    found = read_image(image)
    assert len(found) == 1 + 1 + 2000 + 1000 + 2
    with FileSource(image) as source:
        large = found[GuestPath(b"large")]
        assert isinstance(large, RegularFile)
        assert content_bytes(large.content, ImageBlob(source)) == b"x" * 10 * MIB


def test_resize2fs_grows_it_offline(tmp_path: Path) -> None:
    tree = merged_tree(without=_TOO_LARGE_TO_READ | _MANY_ENTRIES)
    image = tmp_path / "image"
    write_image(image, tree, profile=Profile.READ_WRITE, free_bytes=MIB)
    with image.open("r+b") as file:
        file.truncate(3 << 30)
    judge("resize2fs", image)
    e2fsck(image)
    grown = read_image(image)
    with FileSource(image) as source:
        assert comparable(grown, ImageBlob(source)) == comparable(tree, MemoryBlobs())


def test_the_kernel_grows_it_mounted(tmp_path: Path) -> None:
    image = tmp_path / "image"
    write_image(image, tree_of({b"f": file_of(b"x")}), profile=Profile.READ_WRITE)
    with image.open("r+b") as file:
        file.truncate(20 << 30)
    with mounted(image, options="rw") as root:
        device = judge("findmnt", "-no", "SOURCE", root).strip()
        done = subprocess.run([str(require("resize2fs")), device], capture_output=True, check=False)
        said = done.stderr.decode("utf-8", "replace")
        if os.strerror(errno.EPERM) in said or "Permission denied" in said:
            pytest.skip("growing a mounted file system needs CAP_SYS_RESOURCE")
        assert done.returncode == 0, said
        assert os.statvfs(root).f_blocks * 4096 > 19 << 30
    e2fsck_after_mount(image)


def e2fsck_after_mount(image: Path) -> None:
    """Like ``e2fsck``; the kernel may leave extents that could be shorter."""
    said = judge("e2fsck", "-fn", image)
    assert "CLEARED" not in said
    assert "Fix? no" not in said


def _compare(found: bytes, status: os.stat_result, entry: Entry) -> None:
    assert not isinstance(entry, HardLink)
    metadata: Metadata = entry.metadata
    assert stat.S_IMODE(status.st_mode) == metadata.mode, found
    assert (status.st_uid, status.st_gid) == (metadata.uid, metadata.gid), found
    assert status.st_mtime_ns == decode_time(*encode_time(metadata.mtime_ns)), found
    xattrs = {
        os.fsencode(name): os.getxattr(found, name, follow_symlinks=False)
        for name in os.listxattr(found, follow_symlinks=False)
    }
    assert xattrs == dict(metadata.xattrs), found
    if isinstance(entry, Device):
        kind = stat.S_IFBLK if entry.is_block else stat.S_IFCHR
        assert stat.S_IFMT(status.st_mode) == kind, found
        assert (os.major(status.st_rdev), os.minor(status.st_rdev)) == (entry.major, entry.minor)
        return
    assert stat.S_IFMT(status.st_mode) == _TYPES[type(entry)], found
    if isinstance(entry, RegularFile):
        expected = hashlib.sha256(content_bytes(entry.content, MemoryBlobs())).digest()
        with open(found, "rb") as file:  # noqa: PTH123  # a path of bytes
            assert hashlib.sha256(file.read()).digest() == expected, found
    elif isinstance(entry, Symlink):
        assert os.readlink(found) == entry.target, found  # noqa: PTH115


def _name_counts(tree: FileTree) -> dict[GuestPath, int]:
    """``st_nlink`` of every path that is no hard link."""
    counts: dict[GuestPath, int] = {}
    for path, entry in tree.items():
        if isinstance(entry, Directory):
            counts[path] = 2
            if path:
                counts[GuestPath(path.rpartition(b"/")[0])] += 1
        elif not isinstance(entry, HardLink):
            counts[path] = 1
    counts[GuestPath(b"")] += 1  # lost+found
    for link in (tree[path] for path in tree):
        if isinstance(link, HardLink):
            counts[link.target] += 1
    return counts


def _target(tree: FileTree, path: GuestPath) -> GuestPath:
    entry = tree[path]
    return entry.target if isinstance(entry, HardLink) else path
