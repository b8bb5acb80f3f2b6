from __future__ import annotations

import pytest

from bootsmith.errors import ArchiveError
from bootsmith.image.ext4.allocation import Allocator, BlockRange, block_ranges
from bootsmith.image.ext4.extents import (
    NODE_ENTRIES,
    Extent,
    decode_node,
    encode_root,
    encode_tree,
    index_block_count,
)
from bootsmith.image.ext4.geometry import Interval
from bootsmith.tree.entry import InlineBytes, Run, SparseContent

SEED = 7


@pytest.mark.parametrize(
    ("extents", "blocks"),
    [
        (0, 0),
        (1, 0),
        (4, 0),
        (5, 1),
        (NODE_ENTRIES, 1),
        (NODE_ENTRIES + 1, 2),
        (4 * NODE_ENTRIES, 4),
        (4 * NODE_ENTRIES + 1, 5 + 1),
        (NODE_ENTRIES * NODE_ENTRIES + 1, NODE_ENTRIES + 1 + 2),
    ],
)
def test_blocks_beside_the_inode(extents: int, blocks: int) -> None:
    assert index_block_count(extents) == blocks


@pytest.mark.parametrize("count", [5, 341, 4 * NODE_ENTRIES, 4 * NODE_ENTRIES + 1, 5000])
def test_trees_there_and_back(count: int) -> None:
    extents = [Extent(10 * i, 100 + 3 * i, 2) for i in range(count)]
    places = list(range(50_000, 50_000 + index_block_count(count)))
    root, blocks = encode_tree(extents, places, SEED)
    assert sorted(number for number, _ in blocks) == places
    found, pending = [], [root]
    stored = dict(blocks)
    while pending:
        node = decode_node(pending.pop(), SEED)
        found += node.extents
        pending += [stored[child] for child in reversed(node.children)]
    assert found == extents


def test_a_root_of_one_is_the_general_root() -> None:
    one = Extent(3, 77, 5)
    root, blocks = encode_tree([one], [], SEED)
    assert encode_root([one]) == root
    assert blocks == []


def test_a_flipped_bit_in_a_block_is_noticed() -> None:
    _, [(_, block)] = encode_tree([Extent(2 * i, 9 * i, 1) for i in range(5)], [1], SEED)
    damaged = bytearray(block)
    damaged[20] ^= 1
    with pytest.raises(ArchiveError, match="checksum"):
        decode_node(bytes(damaged), SEED)


@pytest.mark.parametrize(
    ("free", "count", "extents"),
    [
        pytest.param([(5, 10)], 5, [(0, 5, 5)], id="all of it"),
        pytest.param([(5, 10), (20, 30)], 7, [(0, 5, 5), (5, 20, 2)], id="around an obstacle"),
        pytest.param([(0, 40_000)], 32_769, [(0, 0, 32_768), (32_768, 32_768, 1)], id="too long"),
        pytest.param([(5, 10)], 7, [(0, 5, 5), (5, 10, 2)], id="beyond the end"),
    ],
)
def test_allocation(
    free: list[tuple[int, int]], count: int, extents: list[tuple[int, int, int]]
) -> None:
    allocator = Allocator([Interval(*interval) for interval in free])
    assert allocator.take_ranges([BlockRange(0, count)]) == [Extent(*extent) for extent in extents]
    assert allocator.free_blocks == sum(end - start for start, end in free) - count


def test_what_is_left_after_allocation() -> None:
    allocator = Allocator([Interval(5, 10), Interval(20, 30)])
    allocator.take(7)
    assert allocator.free == [Interval(22, 30)]


@pytest.mark.parametrize(
    ("runs", "ranges"),
    [
        pytest.param([], [], id="only a hole"),
        pytest.param([(0, 1)], [(0, 1)], id="first byte"),
        pytest.param([(4095, 2)], [(0, 2)], id="across a border"),
        pytest.param([(0, 10), (20, 10)], [(0, 1)], id="two in a block"),
        pytest.param([(0, 10), (4096, 10)], [(0, 2)], id="neighbours"),
        pytest.param([(0, 10), (8192, 10)], [(0, 1), (2, 1)], id="a hole between"),
    ],
)
def test_blocks_of_sparse_files(runs: list[tuple[int, int]], ranges: list[tuple[int, int]]) -> None:
    content = SparseContent(
        100_000, tuple(Run(offset, InlineBytes(b"x" * size)) for offset, size in runs)
    )
    assert block_ranges(content) == tuple(BlockRange(*found) for found in ranges)
