"""Random trees: written, judged, read back."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootsmith.host.files import FileSource
from bootsmith.image.ext4 import Profile, checksum
from bootsmith.image.ext4.inode import decode_time, encode_time
from bootsmith.image.ext4.inventory import LOST_AND_FOUND
from bootsmith.model.guest_path import GuestPath
from bootsmith.model.streams import BytesSource
from bootsmith.tree.entry import BlobSlice, Directory, Entry, HardLink, InlineBytes, RegularFile
from bootsmith.tree.file_tree import FileTree
from tests.support.examples import examples
from tests.support.ext4_images import (
    PLAIN,
    ImageBlob,
    comparable,
    e2fsck,
    image_bytes,
    read_image,
    tree_of,
    write_image,
)
from tests.support.memory_blobs import MemoryBlobs
from tests.support.trees import trees


def is_possible(tree: FileTree) -> bool:
    """Whether ``lost+found`` is what ext4 wants it to be."""
    return isinstance(tree.get(LOST_AND_FOUND), Directory | None)


possible_trees = trees().filter(is_possible)


@pytest.mark.judge
@given(tree=possible_trees, profile=st.sampled_from(Profile), free_kib=st.integers(0, 4000))
@examples(60)
def test_any_tree(tree: FileTree, profile: Profile, free_kib: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "image"
        write_image(path, tree, profile=profile, free_bytes=free_kib << 10)
        e2fsck(path)
        found = read_image(path)
        with FileSource(path) as source:
            expected = comparable(_clamped(tree), MemoryBlobs())
            assert comparable(found, ImageBlob(source)) == expected


@given(tree=possible_trees)
@examples(20)
def test_the_same_tree_gives_the_same_bytes(tree: FileTree) -> None:
    again = FileTree(dict(reversed(list(tree.items()))))
    assert image_bytes(tree) == image_bytes(again)


@given(tree=possible_trees)
@examples(10)
def test_the_same_bytes_without_the_crc_library(tree: FileTree) -> None:
    expected = image_bytes(tree, profile=Profile.READ_WRITE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checksum, "google_crc32c", None)
        assert image_bytes(tree, profile=Profile.READ_WRITE) == expected


def test_where_content_comes_from_does_not_matter() -> None:
    blobs = MemoryBlobs()
    pieces = [bytes([i]) * size for i, size in enumerate([1, 5000, 300_000, 0, 12_288])]
    blob = blobs.add(b"".join(pieces))
    inline: dict[bytes, Entry] = {}
    sliced: dict[bytes, Entry] = {}
    offset = 0
    for i, piece in enumerate(pieces):
        inline[b"%d" % i] = RegularFile(PLAIN, InlineBytes(piece))
        sliced[b"%d" % i] = RegularFile(PLAIN, BlobSlice(blob, offset, len(piece)))
        offset += len(piece)
    assert image_bytes(tree_of(sliced), blobs) == image_bytes(tree_of(inline))


def test_an_image_read_back_gives_the_same_image() -> None:
    tree = tree_of(
        {b"a": RegularFile(PLAIN, InlineBytes(b"x" * 9000)), b"b": HardLink(GuestPath(b"a"))}
    )
    image = image_bytes(tree)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "image"
        path.write_bytes(image)
        assert image_bytes(read_image(path), ImageBlob(BytesSource(image))) == image


def _clamped(tree: FileTree) -> FileTree:
    """``tree`` with every time brought into the years ext4 knows."""
    entries: dict[GuestPath, Entry] = {}
    for path, entry in tree.items():
        if isinstance(entry, HardLink):
            entries[path] = entry
            continue
        time_ns = decode_time(*encode_time(entry.metadata.mtime_ns))
        metadata = entry.metadata._replace(mtime_ns=time_ns)
        entries[path] = entry._replace(metadata=metadata)
    return FileTree(entries)
