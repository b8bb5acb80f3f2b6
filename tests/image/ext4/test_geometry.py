from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootsmith.image.ext4.geometry import (
    BLOCKS_PER_GROUP,
    INODES_PER_GROUP_MAX,
    Geometry,
    geometry,
    has_backup,
    smallest_block_count,
)

payloads = st.one_of(st.integers(0, 200), st.integers(0, 40 * BLOCKS_PER_GROUP))
inode_counts = st.one_of(st.integers(11, 5000), st.integers(11, 40 * INODES_PER_GROUP_MAX))


def made(block_count: int, inode_count: int, *, growable: bool) -> Geometry:
    found = geometry(block_count, inode_count=inode_count, growable=growable)
    assert found is not None
    return found


def test_superblocks_stand_in_powers_of_three_five_and_seven() -> None:
    assert [group for group in range(130) if has_backup(group)] == [
        0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125,
    ]  # fmt: skip


@given(payload=payloads, inodes=inode_counts, growable=st.booleans())
def test_the_smallest_is_enough_and_one_block_less_is_not(
    payload: int, inodes: int, growable: bool
) -> None:
    count = smallest_block_count(payload_blocks=payload, inode_count=inodes, growable=growable)
    found = made(count, inodes, growable=growable)
    assert found.block_count == count
    assert found.free_blocks >= payload
    assert found.inode_count >= inodes
    smaller = geometry(count - 1, inode_count=inodes, growable=growable)
    assert smaller is None or smaller.free_blocks < payload


@given(blocks=st.integers(1, 60 * BLOCKS_PER_GROUP), inodes=inode_counts, growable=st.booleans())
def test_metadata_does_not_overlap(blocks: int, inodes: int, growable: bool) -> None:
    found = geometry(blocks, inode_count=inodes, growable=growable)
    if found is None:
        return
    table = found.inodes_per_group * 256 // 4096
    taken = [
        (group * BLOCKS_PER_GROUP, 1 + found.descriptor_blocks + found.reserved_gdt_blocks)
        for group in (0, *found.backup_groups)
    ]
    for places in found.groups:
        taken += [(places.block_bitmap, 1), (places.inode_bitmap, 1), (places.inode_table, table)]
    taken += [(start, end - start) for start, end in found.free]
    position = 0
    for start, size in sorted(taken):
        assert start == position, "neither a gap nor an overlap"
        position = start + size
    assert position == found.block_count <= blocks
    assert found.inodes_per_group <= INODES_PER_GROUP_MAX


@pytest.mark.parametrize(
    ("blocks", "used"),
    [
        pytest.param(BLOCKS_PER_GROUP, BLOCKS_PER_GROUP, id="one full group"),
        pytest.param(BLOCKS_PER_GROUP + 40, BLOCKS_PER_GROUP, id="too little for another"),
        pytest.param(BLOCKS_PER_GROUP + 500, BLOCKS_PER_GROUP + 500, id="enough for another"),
    ],
)
def test_a_last_group_must_be_worth_its_metadata(blocks: int, used: int) -> None:
    assert made(blocks, 100, growable=True).block_count == used


def test_too_small_for_anything() -> None:
    assert geometry(3, inode_count=11, growable=False) is None
    assert geometry(0, inode_count=11, growable=False) is None
