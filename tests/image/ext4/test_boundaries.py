"""Every border of the format: e2fsck has nothing to say, and our reader gives back the tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootsmith.errors import ArchiveError, ImageError
from bootsmith.host.files import FileSource
from bootsmith.image.ext4 import Ext4Reader, Profile, plan_ext4
from bootsmith.image.ext4.inventory import take_inventory
from bootsmith.model.guest_path import GuestPath
from bootsmith.tree.entry import (
    BlobSlice,
    Device,
    Entry,
    HardLink,
    InlineBytes,
    Metadata,
    RegularFile,
    Run,
    SparseContent,
    Symlink,
)
from tests.image.ext4.boundary_trees import BOUNDARIES, boundary_tree, many_subdirectories
from tests.support.ext4_images import (
    IMAGE,
    PLAIN,
    ImageBlob,
    comparable,
    e2fsck,
    file_of,
    image_bytes,
    options,
    read_image,
    tree_of,
    write_image,
)
from tests.support.memory_blobs import MemoryBlobs

_TOO_LARGE_FOR_MEMORY = {"only a hole", "over four gigabytes"}


@pytest.mark.judge
@pytest.mark.parametrize("name", BOUNDARIES)
def test_e2fsck_and_reader_agree(name: str, tmp_path: Path) -> None:
    tree = boundary_tree(name)
    path = tmp_path / "image"
    write_image(path, tree, profile=Profile.READ_WRITE)
    e2fsck(path)
    found = read_image(path)
    if name in _TOO_LARGE_FOR_MEMORY:
        assert set(found) == {*tree, b"lost+found"}
        return
    with FileSource(path) as source:
        assert comparable(found, ImageBlob(source)) == comparable(tree, MemoryBlobs())


@pytest.mark.slow
@pytest.mark.parametrize(("count", "links"), [(64_998, 65_000), (64_999, 1)])
def test_subdirectories_beyond_what_ext4_counts(count: int, links: int) -> None:
    inventory = take_inventory(many_subdirectories(count), created_s=0)
    assert inventory.links[inventory.numbers[GuestPath(b"d")]] == links


@pytest.mark.judge
def test_e2fsck_accepts_uncounted_subdirectories(tmp_path: Path) -> None:
    path = tmp_path / "image"
    write_image(path, many_subdirectories(64_999))
    e2fsck(path)


def test_sparse_content_lies_where_it_should(tmp_path: Path) -> None:
    path = tmp_path / "image"
    write_image(path, boundary_tree("over four gigabytes"))
    with FileSource(path) as source:
        entry = Ext4Reader(source).read_tree(IMAGE)[GuestPath(b"s")]
        assert isinstance(entry, RegularFile)
        assert isinstance(entry.content, SparseContent)
        assert entry.content.size_bytes == 5 << 30
        runs = entry.content.runs
        assert [run.offset for run in runs] == [0, (4 << 30) - 4096, (5 << 30) - 4096]
        first = runs[0].data
        assert isinstance(first, BlobSlice)
        assert source.read_at(first.offset, 16) == b"\0near the start\0"
        middle = runs[1].data
        assert isinstance(middle, BlobSlice)
        assert source.read_at(middle.offset + 4093, 17) == b"across the border"


def test_holes_take_no_space(tmp_path: Path) -> None:
    path = tmp_path / "image"
    write_image(path, boundary_tree("nothing"), size_bytes=10 << 30, profile=Profile.READ_WRITE)
    assert path.stat().st_size == 10 << 30
    assert path.stat().st_blocks * 512 < 4 << 20


BAD: dict[str, dict[bytes, Entry]] = {
    "empty target": {b"l": Symlink(Metadata(0o777), b"")},
    "target over a block": {b"l": Symlink(Metadata(0o777), b"t" * 4096)},
    "NUL in a target": {b"l": Symlink(Metadata(0o777), b"a\0b")},
    "owner over 32 bits": {b"f": file_of(b"", uid=1 << 32)},
    "negative owner": {b"f": file_of(b"", gid=-1)},
    "device number": {b"dev": Device(Metadata(0o600), is_block=False, major=5000, minor=0)},
    "lost+found is a file": {b"lost+found": file_of(b"")},
    "runs that overlap": {
        b"s": RegularFile(
            PLAIN,
            SparseContent(100, (Run(0, InlineBytes(b"xx")), Run(1, InlineBytes(b"y")))),
        )
    },
    "a run beyond the end": {
        b"s": RegularFile(PLAIN, SparseContent(3, (Run(2, InlineBytes(b"xx")),)))
    },
    "unknown attribute": {b"f": file_of(b"", xattrs=((b"os2.x", b""),))},
}


@pytest.mark.parametrize("name", BAD)
def test_what_ext4_cannot_hold_is_named(name: str) -> None:
    entries = BAD[name]
    with pytest.raises(ImageError) as caught:
        plan_ext4(tree_of(entries), options())
    assert next(iter(entries)).decode() in str(caught.value)


def test_too_many_hard_links_are_named() -> None:
    links: dict[bytes, Entry] = {b"l%05d" % i: HardLink(GuestPath(b"f")) for i in range(65_000)}
    with pytest.raises(ImageError, match="f has 65001 names"):
        plan_ext4(tree_of({b"f": file_of(b""), **links}), options())


def test_a_blob_shorter_than_its_slice() -> None:
    blobs = MemoryBlobs()
    blob = blobs.add(b"short")
    for size in (10, 300_000):
        tree = tree_of({b"f": RegularFile(PLAIN, BlobSlice(blob, 0, size))})
        with pytest.raises(ArchiveError):
            image_bytes(tree, blobs)


def test_no_blob_at_all() -> None:
    tree = tree_of({b"f": RegularFile(PLAIN, BlobSlice(IMAGE, 0, 1))})
    with pytest.raises(ImageError, match="no blob"):
        image_bytes(tree)
