"""cpio archives: read back by us and by GNU cpio."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given

from bootsmith.errors import ArchiveError, ImageError
from bootsmith.image.cpio import MAGIC, read_cpio, write_cpio
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import guest_path
from bootsmith.model.streams import BytesSink, BytesSource
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import (
    BlobSlice,
    Device,
    Directory,
    Entry,
    Fifo,
    HardLink,
    InlineBytes,
    Metadata,
    RegularFile,
    Symlink,
)
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer, overlay
from tests.support.judges import judge
from tests.support.memory_blobs import MemoryBlobs
from tests.support.trees import trees

ENTRIES: dict[str, Entry] = {
    "bin": Directory(Metadata(0o755)),
    "bin/a": RegularFile(Metadata(0o4755, 1, 2, 10**18), InlineBytes(b"content")),
    "bin/b": HardLink(guest_path("bin/a")),
    "bin/c": HardLink(guest_path("bin/a")),
    "console": Device(Metadata(0o600), is_block=False, major=5, minor=1),
    "disk": Device(Metadata(0o660), is_block=True, major=254, minor=17),
    "empty": RegularFile(Metadata(0o644), InlineBytes(b"")),
    "link": Symlink(Metadata(0o777), b"bin/a"),
    "pipe": Fifo(Metadata(0o644)),
}
TREE = FileTree({guest_path(path): entry for path, entry in ENTRIES.items()})


def written(tree: FileTree) -> bytes:
    sink = BytesSink()
    write_cpio(tree, blobs=MemoryBlobs(), sink=sink)
    return bytes(sink.data)


def read(data: bytes) -> FileTree:
    members = tuple(read_cpio(BytesSource(data), blob=Digest.of(data)))
    return overlay(FileTree(), Layer(members))


@given(trees())
def test_a_tree_written_and_read_is_the_same_but_for_what_cpio_lacks(tree: FileTree) -> None:
    plain = FileTree({path: _as_cpio_has_it(entry) for path, entry in tree.items()})
    data = written(plain)
    blobs = MemoryBlobs()
    blobs.add(data)
    again = {path: _inline(entry, blobs) for path, entry in read(data).items() if path}
    assert again == {path: _inline(entry, blobs) for path, entry in plain.items() if path}
    assert written(plain) == data


def test_the_bytes_are_aligned_and_end_with_the_trailer() -> None:
    data = written(TREE)
    assert data.startswith(MAGIC)
    assert len(data) % 4 == 0
    assert data.rstrip(b"\0").endswith(b"TRAILER!!!")


@pytest.mark.judge
def test_gnu_cpio_lists_it() -> None:
    lines = judge("cpio", "-itv", "--numeric-uid-gid", stdin=written(TREE)).splitlines()
    assert [line.split()[0] for line in lines[:9]] == [
        "drwxr-xr-x", "-rwsr-xr-x", "-rwsr-xr-x", "-rwsr-xr-x", "crw-------", "brw-rw----",
        "-rw-r--r--", "lrwxrwxrwx", "prw-r--r--",
    ]  # fmt: skip
    assert lines[1].split()[1:4] == ["3", "1", "2"]
    assert "5,   1" in lines[4]
    assert "254,  17" in lines[5]
    assert lines[7].endswith("link -> bin/a")


@pytest.mark.judge
def test_gnu_cpio_extracts_it(tmp_path: Path) -> None:
    plain = {path: entry for path, entry in TREE.items() if not isinstance(entry, Device)}
    archive = written(FileTree(plain))
    judge("cpio", "-i", "-D", tmp_path, "--no-preserve-owner", stdin=archive)
    assert (tmp_path / "bin/a").read_bytes() == b"content"
    assert (tmp_path / "bin/c").samefile(tmp_path / "bin/a")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_times_outside_the_format_become_the_nearest() -> None:
    early = RegularFile(Metadata(0o644, mtime_ns=-5), InlineBytes(b""))
    late = RegularFile(Metadata(0o644, mtime_ns=10**19), InlineBytes(b""))
    tree = read(written(FileTree({guest_path("early"): early, guest_path("late"): late})))
    assert tree.inode(guest_path("early")).metadata.mtime_ns == 0
    assert tree.inode(guest_path("late")).metadata.mtime_ns == 0xFFFF_FFFF * 10**9


@pytest.mark.parametrize(
    ("entry", "path", "said"),
    [
        (RegularFile(Metadata(0, xattrs=((b"user.a", b""),)), InlineBytes(b"")), "f", "attributes"),
        (RegularFile(Metadata(0), BlobSlice(Digest.of(b""), 0, 1 << 32)), "f", "4 GiB"),
    ],
)
def test_what_the_format_cannot_hold(entry: Entry, path: str, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        written(FileTree({guest_path(path): entry}))


def test_a_path_longer_than_the_kernel_takes() -> None:
    names = ["d" * 250] * 17
    entries: dict[str, Entry] = {
        "/".join(names[:depth]): Directory(Metadata(0o755)) for depth in range(1, len(names) + 1)
    }
    with pytest.raises(ImageError, match="too long"):
        written(FileTree({guest_path(path): entry for path, entry in entries.items()}))


def test_every_cut_is_noticed() -> None:
    data = written(TREE)
    for length in range(0, len(data) - 8, 7):
        with pytest.raises(ArchiveError):
            read(data[:length])


@pytest.mark.parametrize(
    ("position", "said"), [(0, "header"), (8, "header"), (110 + 3, "name"), (16, "type")]
)
def test_damage_is_noticed(position: int, said: str) -> None:
    data = bytearray(written(TREE))
    data[position] = ord("z")
    if said == "type":
        data[14:22] = b"000001FF"
    with pytest.raises(ArchiveError, match=said):
        read(bytes(data))


def _as_cpio_has_it(entry: Entry) -> Entry:
    if isinstance(entry, HardLink):
        return entry
    second = 10**9
    mtime_ns = min(max(entry.metadata.mtime_ns // second, 0), 0xFFFF_FFFF) * second
    return entry._replace(metadata=entry.metadata._replace(mtime_ns=mtime_ns, xattrs=()))


def _inline(entry: Entry, blobs: MemoryBlobs) -> Entry:
    if isinstance(entry, RegularFile):
        return entry._replace(content=InlineBytes(read_content(entry.content, blobs=blobs)))
    return entry
