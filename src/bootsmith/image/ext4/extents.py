"""Extents: which blocks of a file lie where.

Four fit into the inode itself.  More hang in blocks of 340 below it, with as many levels of
index blocks in between as that takes (``fs/ext4/ext4_extents.h``).
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final, NamedTuple

from bootsmith.errors import ArchiveError
from bootsmith.image.ext4.checksum import crc32c
from bootsmith.image.ext4.structures import (
    BLOCK_BYTES,
    EXTENT,
    EXTENT_BLOCKS_MAX,
    EXTENT_HEADER,
    EXTENT_INDEX,
    EXTENT_MAGIC,
)

ROOT_ENTRIES: Final = 4
NODE_ENTRIES: Final = (BLOCK_BYTES - EXTENT_HEADER.size - 4) // EXTENT.size
ROOT_BYTES: Final = 60
DEPTH_MAX: Final = 5

_ROOT_OF_ONE = Struct("<HHHHIIHHI36x")  # header and one extent, what almost every file has
assert _ROOT_OF_ONE.size == ROOT_BYTES


class Extent(NamedTuple):
    """``length`` blocks of a file from its block ``logical``, at block ``physical`` on disk."""

    logical: int
    physical: int
    length: int


class Node(NamedTuple):
    """A decoded root, leaf or index block: ``children`` are blocks, if it is an index."""

    depth: int
    extents: list[Extent]
    children: list[int]


def index_block_count(extents: int) -> int:
    """How many blocks beside the inode a tree of so many extents takes."""
    total = 0
    while extents > ROOT_ENTRIES:
        extents = -(-extents // NODE_ENTRIES)
        total += extents
    return total


def encode_root(extents: Sequence[Extent]) -> bytes:
    """``i_block`` for at most four extents."""
    if len(extents) == 1:
        logical, physical, length = extents[0]
        return _ROOT_OF_ONE.pack(EXTENT_MAGIC, 1, ROOT_ENTRIES, 0, 0, logical, length, 0, physical)
    return _node([_leaf_entry(extent) for extent in extents], 0, ROOT_ENTRIES, ROOT_BYTES)


def encode_tree(
    extents: Sequence[Extent], places: Sequence[int], seed: int
) -> tuple[bytes, list[tuple[int, bytes]]]:
    """``i_block``, and the blocks of the tree with their numbers.

    ``places`` are ``index_block_count`` blocks; ``seed`` is that of the inode.
    """
    unused = iter(places)
    blocks: list[tuple[int, bytes]] = []
    level = [(extent.logical, _leaf_entry(extent)) for extent in extents]
    depth = 0
    while len(level) > ROOT_ENTRIES:
        above = []
        for start in range(0, len(level), NODE_ENTRIES):
            members = level[start : start + NODE_ENTRIES]
            number = next(unused)
            node = _node([entry for _, entry in members], depth, NODE_ENTRIES, BLOCK_BYTES - 4)
            blocks.append((number, node + crc32c(seed, node).to_bytes(4, "little")))
            first = members[0][0]
            above.append((first, EXTENT_INDEX.pack(first, number, 0, 0)))
        level = above
        depth += 1
    return _node([entry for _, entry in level], depth, ROOT_ENTRIES, ROOT_BYTES), blocks


def decode_node(data: bytes, seed: int | None) -> Node:
    """A root (60 bytes) or a block of the tree; a block's checksum is checked with ``seed``.

    Extents that are allocated but not written are left out: they read as zeros.  Raises
    ``ArchiveError`` when malformed.
    """
    magic, entries, most, depth, _ = EXTENT_HEADER.unpack_from(data)
    if magic != EXTENT_MAGIC or entries > most or depth > DEPTH_MAX:
        raise ArchiveError("an extent tree has a malformed node")
    tail = EXTENT_HEADER.size * (1 + most)
    is_root = len(data) == ROOT_BYTES
    if tail + (0 if is_root else 4) > len(data):
        raise ArchiveError(f"a node of an extent tree says it holds {most} entries")
    if seed is not None and not is_root:
        found = int.from_bytes(data[tail : tail + 4], "little")
        if crc32c(seed, data[:tail]) != found:
            raise ArchiveError("the checksum of a block of an extent tree is wrong")
    body = data[EXTENT_HEADER.size : EXTENT_HEADER.size * (1 + entries)]
    if depth:
        children = [low | high << 32 for _, low, high, _ in EXTENT_INDEX.iter_unpack(body)]
        return Node(depth, [], children)
    extents = [
        Extent(logical, low | high << 32, length)
        for logical, length, high, low in EXTENT.iter_unpack(body)
        if length <= EXTENT_BLOCKS_MAX
    ]
    return Node(0, extents, [])


def _leaf_entry(extent: Extent) -> bytes:
    return EXTENT.pack(extent.logical, extent.length, 0, extent.physical)


def _node(entries: Sequence[bytes], depth: int, most: int, size: int) -> bytes:
    header = EXTENT_HEADER.pack(EXTENT_MAGIC, len(entries), most, depth, 0)
    return (header + b"".join(entries)).ljust(size, b"\0")
