"""Sizes are decided, never guessed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootsmith.errors import ImageError, ImageFull
from bootsmith.image.ext4 import Ext4Reader, Profile, plan_ext4, write_ext4
from bootsmith.model.digest import Digest
from bootsmith.model.streams import BytesSink, BytesSource
from bootsmith.tree.entry import BlobSlice, Entry, InlineBytes, RegularFile, Run, SparseContent
from tests.support.examples import examples
from tests.support.ext4_images import (
    DIRECTORY,
    PLAIN,
    file_of,
    image_bytes,
    options,
    tree_of,
)
from tests.support.memory_blobs import MemoryBlobs

MIB = 1 << 20
SMALL_ENTRIES: dict[bytes, Entry] = {
    b"a": file_of(b"hello"),
    b"d": DIRECTORY,
    b"d/b": file_of(b"x" * 9000),
}
SMALL = tree_of(SMALL_ENTRIES)
BLOB = Digest.of(b"never read while planning")


def large_file(size_bytes: int) -> RegularFile:
    return RegularFile(PLAIN, BlobSlice(BLOB, 0, size_bytes))


def scattered_file(runs: int) -> RegularFile:
    pieces = tuple(Run(i * 8192, InlineBytes(b"x")) for i in range(runs))
    return RegularFile(PLAIN, SparseContent(runs * 8192, pieces))


TREES: dict[str, Callable[[], dict[bytes, Entry]]] = {
    "small": lambda: SMALL_ENTRIES,
    "about a group": lambda: {b"big": large_file(127 * MIB)},
    "several flexible groups": lambda: {b"big": large_file(2200 * MIB)},
    "trees of extents": lambda: {b"s": scattered_file(2000)},
    "many inodes": lambda: dict.fromkeys((b"%d" % i for i in range(33_000)), file_of(b"")),
}


@pytest.mark.parametrize("profile", list(Profile))
@pytest.mark.parametrize("name", TREES)
def test_needed_bytes_is_exactly_the_smallest_size(name: str, profile: Profile) -> None:
    tree = tree_of(TREES[name]())
    with pytest.raises(ImageFull) as caught:
        plan_ext4(tree, options(size_bytes=4096, profile=profile))
    needed = caught.value.needed_bytes
    assert caught.value.size_bytes == 4096
    assert plan_ext4(tree, options(size_bytes=needed, profile=profile)).size_bytes == needed
    with pytest.raises(ImageFull) as caught:
        plan_ext4(tree, options(size_bytes=needed - 1, profile=profile))
    assert caught.value.needed_bytes == needed
    assert caught.value.hint is not None


@given(extra=st.integers(0, 3000 * MIB), profile=st.sampled_from(Profile))
@examples(25)
def test_every_larger_size_works(extra: int, profile: Profile) -> None:
    tree = tree_of({b"big": large_file(60 * MIB), b"s": scattered_file(400)})
    with pytest.raises(ImageFull) as caught:
        plan_ext4(tree, options(size_bytes=0, profile=profile))
    size_bytes = caught.value.needed_bytes + extra
    layout = plan_ext4(tree, options(size_bytes=size_bytes, profile=profile))
    assert layout.size_bytes == size_bytes


def test_nothing_is_written_when_it_does_not_fit() -> None:
    sink = BytesSink()
    with pytest.raises(ImageFull):
        write_ext4(SMALL, options(size_bytes=20_000), MemoryBlobs(), sink)
    assert not sink.data


@pytest.mark.parametrize("profile", list(Profile))
@pytest.mark.parametrize("free_bytes", [0, 1, 4096, 10 * MIB, 500 * MIB])
def test_exactly_the_free_space_asked_for(free_bytes: int, profile: Profile) -> None:
    layout = plan_ext4(SMALL, options(free_bytes=free_bytes, profile=profile))
    assert layout.placement.free_blocks == -(-free_bytes // 4096)


def test_the_smallest_read_only_image_has_nothing_to_spare() -> None:
    image = image_bytes(SMALL)
    facts = Ext4Reader(BytesSource(image)).facts
    assert facts.free_blocks == 0
    assert facts.size_bytes == len(image)
    assert "has_journal" not in facts.features
    assert "resize_inode" not in facts.features


def test_a_writable_image_has_a_journal_and_room_to_grow() -> None:
    facts = Ext4Reader(BytesSource(image_bytes(SMALL, profile=Profile.READ_WRITE))).facts
    assert {"has_journal", "resize_inode", "metadata_csum", "dir_index"} <= set(facts.features)


@pytest.mark.parametrize("size_bytes", [16 * MIB, 16 * MIB + 1, 16 * MIB + 4095])
def test_a_fixed_size_is_the_size_of_the_file(size_bytes: int) -> None:
    assert len(image_bytes(SMALL, size_bytes=size_bytes)) == size_bytes


@pytest.mark.parametrize(
    ("profile", "free_inodes", "least"),
    [
        pytest.param(Profile.READ_WRITE, None, 64 * MIB // 16384, id="one per 16 KiB"),
        pytest.param(Profile.READ_ONLY, None, 0, id="none"),
        pytest.param(Profile.READ_ONLY, 5000, 5000, id="as asked"),
        pytest.param(Profile.READ_WRITE, 5, 5, id="few"),
    ],
)
def test_free_inodes(profile: Profile, free_inodes: int | None, least: int) -> None:
    layout = plan_ext4(
        SMALL, options(profile=profile, free_bytes=64 * MIB, free_inodes=free_inodes)
    )
    free = layout.placement.geometry.inode_count - layout.survey.inventory.last_inode
    assert least <= free < least + 16


def test_larger_sizes_get_larger_journals() -> None:
    sizes = [8 * MIB, 128 * MIB, 1 << 30, 2 << 30, 16 << 30]
    journals = [
        plan_ext4(
            SMALL, options(size_bytes=size, profile=Profile.READ_WRITE)
        ).placement.journal_blocks
        for size in sizes
    ]
    assert journals == [1024, 4096, 8192, 16_384, 32_768]


@pytest.mark.parametrize("size_bytes", [16 << 40, 17 << 40])
def test_over_sixteen_tebibytes(size_bytes: int) -> None:
    with pytest.raises(ImageError, match="16 TiB"):
        plan_ext4(SMALL, options(size_bytes=size_bytes))


def test_content_over_sixteen_tebibytes() -> None:
    entries: dict[bytes, Entry] = {b"%d" % i: large_file(4 << 40) for i in range(5)}
    with pytest.raises(ImageError, match="16 TiB"):
        plan_ext4(tree_of(entries), options())
    with pytest.raises(ImageError, match="larger than ext4 can hold"):
        plan_ext4(tree_of({b"one": large_file(17 << 40)}), options())


@pytest.mark.parametrize(
    "changes",
    [
        {"uuid": b"short"},
        {"hash_seed": b""},
        {"label": "seventeen-letters"},
        {"label": "nul\0"},
        {"created_s": -1},
        {"created_s": 1 << 40},
        {"free_bytes": -1},
        {"free_inodes": -1},
        {"size_bytes": -1},
    ],
)
def test_options_ext4_cannot_hold(changes: dict[str, object]) -> None:
    with pytest.raises(ImageError):
        options(**changes)
