"""Damage is noticed, and no damage does more than raise an error."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootsmith.errors import ArchiveError
from bootsmith.host.tools import find_tool
from bootsmith.image.ext4 import Ext4Reader, Profile, plan_ext4
from bootsmith.image.ext4.checksum import crc32c
from bootsmith.image.ext4.structures import BLOCK_BYTES, ReadOnlyCompat
from bootsmith.model.guest_path import GuestPath
from bootsmith.model.streams import BytesSource
from bootsmith.tree.entry import (
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
from tests.support.examples import examples
from tests.support.ext4_images import (
    DIRECTORY,
    IMAGE,
    PLAIN,
    file_of,
    image_bytes,
    options,
    tree_of,
)
from tests.support.judges import require

ENTRIES: dict[bytes, Entry] = {
    b"a": file_of(b"content", xattrs=((b"user.a", b"b"), (b"user.big", b"x" * 2000))),
    b"b": HardLink(GuestPath(b"a")),
    b"d": DIRECTORY,
    b"dev": Device(Metadata(0o600), is_block=False, major=1, minor=3),
    b"l": Symlink(Metadata(0o777), b"a"),
    b"m": Symlink(Metadata(0o777), b"long" * 20),
    b"s": RegularFile(
        PLAIN, SparseContent(80_000, tuple(Run(i * 8192, InlineBytes(b"x")) for i in range(9)))
    ),
    **{b"d/%03d" % i + b"-" * 40: file_of(b"%d" % i) for i in range(120)},
}
TREE = tree_of(ENTRIES)
LAYOUT = plan_ext4(TREE, options(profile=Profile.READ_WRITE))
IMAGE_BYTES = image_bytes(TREE, profile=Profile.READ_WRITE)
SMALL_IMAGE = image_bytes(TREE)
_PLACES = LAYOUT.placement.geometry.groups[0]
_INODES = LAYOUT.survey.inventory.numbers


def _block_of(path: bytes, index: int = 0) -> int:
    return LAYOUT.placement.extents[_INODES[GuestPath(path)]][0].physical + index


def _inode_offset(path: bytes) -> int:
    return _PLACES.inode_table * BLOCK_BYTES + (_INODES[GuestPath(path)] - 1) * 256


# a byte in each kind of structure that has a checksum
PROTECTED: dict[str, int] = {
    "superblock": 1024 + 0x78,
    "group descriptor": BLOCK_BYTES + 12,
    "block bitmap": _PLACES.block_bitmap * BLOCK_BYTES + 3,
    "inode bitmap": _PLACES.inode_bitmap * BLOCK_BYTES + 3,
    "inode": _inode_offset(b"a") + 4,
    "inode of the root": _PLACES.inode_table * BLOCK_BYTES + 256 + 8,
    "attributes in an inode": _inode_offset(b"a") + 255,
    "directory block": _block_of(b"") * BLOCK_BYTES + 30,
    "root of an index": _block_of(b"d") * BLOCK_BYTES + 45,
    "leaf of an index": _block_of(b"d", 1) * BLOCK_BYTES + 20,
    "attribute block": next(iter(LAYOUT.placement.xattr_blocks.values())) * BLOCK_BYTES + 100,
    "extent block": next(iter(LAYOUT.placement.index_blocks.values()))[0] * BLOCK_BYTES + 15,
}


def read_all(image: bytes) -> None:
    reader = Ext4Reader(BytesSource(image))
    reader.check_groups()
    reader.read_tree(IMAGE)
    reader.read_file(GuestPath(b"a"), most_bytes=1 << 20)


def flipped(image: bytes, offset: int, bits: int = 1) -> bytes:
    damaged = bytearray(image)
    damaged[offset] ^= bits
    return bytes(damaged)


def test_an_undamaged_image_is_accepted() -> None:
    read_all(IMAGE_BYTES)
    read_all(SMALL_IMAGE)


@pytest.mark.parametrize("where", PROTECTED)
def test_our_reader_notices(where: str) -> None:
    with pytest.raises(ArchiveError):
        read_all(flipped(IMAGE_BYTES, PROTECTED[where]))


@pytest.mark.judge
@pytest.mark.parametrize("where", PROTECTED)
def test_e2fsck_notices(where: str, tmp_path: Path) -> None:
    require("e2fsck")
    path = tmp_path / "image"
    path.write_bytes(flipped(IMAGE_BYTES, PROTECTED[where]))
    done = subprocess.run(
        [str(find_tool("e2fsck")), "-fn", str(path)], capture_output=True, check=False
    )
    said = done.stdout.decode("utf-8", "replace")
    assert done.returncode != 0 or "FIXED" in said or "checksum" in said.lower(), said


def test_a_read_file_is_what_was_written() -> None:
    reader = Ext4Reader(BytesSource(IMAGE_BYTES))
    assert reader.read_file(GuestPath(b"a")) == b"content"
    assert reader.read_file(GuestPath(b"d/007" + b"-" * 40)) == b"7"
    assert reader.read_file(GuestPath(b"s"))[8190:8194] == b"\0\0x\0"


@pytest.mark.parametrize("path", [b"d", b"nothing", b"a/b", b"l"])
def test_what_is_no_file(path: bytes) -> None:
    with pytest.raises(ArchiveError) as caught:
        Ext4Reader(BytesSource(IMAGE_BYTES)).read_file(GuestPath(path))
    assert caught.value.member == path.decode()


def test_a_file_larger_than_the_caller_wants() -> None:
    with pytest.raises(ArchiveError, match="more than 100"):
        Ext4Reader(BytesSource(IMAGE_BYTES)).read_file(GuestPath(b"s"), most_bytes=100)


@pytest.mark.parametrize("size", [0, 1000, 2047, 2048, 5000, len(SMALL_IMAGE) - 1])
def test_cut_short(size: int) -> None:
    with pytest.raises(ArchiveError):
        read_all(SMALL_IMAGE[:size])


@given(st.binary(max_size=3000))
def test_rubbish(data: bytes) -> None:
    with pytest.raises(ArchiveError):
        Ext4Reader(BytesSource(data))


def _without_checksums(image: bytes) -> bytearray:
    """An image whose superblock says that nothing has a checksum, so that parsers must cope."""
    naked = bytearray(image)
    naked[1024 + 0x64 : 1024 + 0x68] = (
        int.from_bytes(naked[1024 + 0x64 : 1024 + 0x68], "little") & ~ReadOnlyCompat.METADATA_CSUM
    ).to_bytes(4, "little")
    return naked


NAKED = _without_checksums(SMALL_IMAGE)
_METADATA_BYTES = min(len(NAKED), 40 * BLOCK_BYTES)
flips = st.lists(
    st.tuples(st.integers(0, _METADATA_BYTES - 1), st.integers(1, 255)), min_size=1, max_size=8
)
_SUPERBLOCK_FIELDS = st.lists(
    st.tuples(st.integers(1024, 1024 + 0x180), st.integers(1, 255)), min_size=1, max_size=4
)


@given(flips | _SUPERBLOCK_FIELDS)
@examples(400)
def test_any_damage_raises_or_reads(found: list[tuple[int, int]]) -> None:
    damaged = bytearray(NAKED)
    for offset, bits in found:
        damaged[offset] ^= bits
    try:
        read_all(bytes(damaged))
    except ArchiveError:
        return


@given(st.integers(0, 1023 - 4), st.integers(1, 255))
@examples(100)
def test_a_superblock_with_the_right_checksum_but_wrong_values(offset: int, bits: int) -> None:
    damaged = bytearray(SMALL_IMAGE)
    damaged[1024 + offset] ^= bits
    damaged[2044:2048] = crc32c(0xFFFF_FFFF, bytes(damaged[1024:2044])).to_bytes(4, "little")
    try:
        read_all(bytes(damaged))
    except ArchiveError:
        return


def test_a_journal_that_was_not_replayed_is_refused() -> None:
    damaged = bytearray(IMAGE_BYTES)
    damaged[1024 + 0x60] |= 4  # needs_recovery
    damaged[2044:2048] = crc32c(0xFFFF_FFFF, bytes(damaged[1024:2044])).to_bytes(4, "little")
    with pytest.raises(ArchiveError, match="not unmounted") as caught:
        Ext4Reader(BytesSource(bytes(damaged)))
    assert caught.value.hint is not None


def test_a_directory_that_holds_itself() -> None:
    tree = tree_of({b"d": DIRECTORY, b"d/e": DIRECTORY})
    layout = plan_ext4(tree, options())
    naked = _without_checksums(image_bytes(tree))
    numbers = layout.survey.inventory.numbers
    block = layout.placement.extents[numbers[GuestPath(b"d")]][0].physical * BLOCK_BYTES
    naked[block + 24 : block + 28] = numbers[GuestPath(b"d")].to_bytes(4, "little")
    with pytest.raises(ArchiveError, match="two names"):
        Ext4Reader(BytesSource(bytes(naked))).read_tree(IMAGE)
