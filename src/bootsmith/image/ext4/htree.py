"""Indexed directories (dir_index): blocks of entries in order of the hash of their names.

Block 0 is the root of the index, dressed as a block with only ``.`` and ``..``; up to 507
blocks of entries hang from it, or as many inner nodes with 510 each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bootsmith.errors import ImageError
from bootsmith.image.ext4.checksum import crc32c
from bootsmith.image.ext4.directory import ENTRIES_BYTES
from bootsmith.image.ext4.half_md4 import HASH_VERSION, NameHash
from bootsmith.image.ext4.structures import (
    BLOCK_BYTES,
    DIRENT,
    DX_COUNT_LIMIT,
    DX_ENTRY,
    DX_ROOT_INFO,
    DX_TAIL,
)

_ROOT_HEAD_BYTES = 12 + 12 + DX_ROOT_INFO.size
_NODE_HEAD = DIRENT.pack(0, BLOCK_BYTES, 0, 0)  # one unused entry over the whole block
ROOT_LIMIT = (BLOCK_BYTES - _ROOT_HEAD_BYTES - DX_TAIL.size) // DX_ENTRY.size
NODE_LIMIT = (BLOCK_BYTES - len(_NODE_HEAD) - DX_TAIL.size) // DX_ENTRY.size


class Leaf(NamedTuple):
    """The entries of one block, whose names have hashes from ``first_hash`` on."""

    first_hash: int
    entries: list[bytes]


class HashedDirectory(NamedTuple):
    """The entries ``.`` and ``..``, and the others as they are parted into blocks."""

    dots: Sequence[bytes]
    leaves: list[Leaf]

    @property
    def block_count(self) -> int:
        """The blocks of the index and of the entries."""
        inner = _ceil(len(self.leaves), NODE_LIMIT) if len(self.leaves) > ROOT_LIMIT else 0
        return 1 + inner + len(self.leaves)


def hashed_directory(
    dots: Sequence[bytes], entries: Sequence[bytes], hashes: Sequence[NameHash]
) -> HashedDirectory:
    """A directory whose entries, with ``hashes`` of their names, do not fit one block.

    Raises ``ImageError`` for more than 507 · 510 blocks of entries: about eight million names.
    """
    leaves = _leaves(entries, hashes)
    if len(leaves) > ROOT_LIMIT * NODE_LIMIT:
        raise ImageError(f"a directory of {len(entries)} entries is too large for ext4")
    return HashedDirectory(dots, leaves)


def index_nodes(directory: HashedDirectory, *, seed: int) -> list[bytes]:
    """The blocks of the index, which stand before those of the entries.

    ``seed`` is what the checksums of the directory start from.
    """
    dots, leaves = directory
    if len(leaves) <= ROOT_LIMIT:
        return [_root(dots, _pointers(leaves, 1), levels=0, seed=seed)]
    groups = [leaves[i : i + NODE_LIMIT] for i in range(0, len(leaves), NODE_LIMIT)]
    heads = [group[0] for group in groups]
    nodes = [_root(dots, _pointers(heads, 1), levels=1, seed=seed)]
    for number, group in enumerate(groups):
        pointers = _pointers(group, 1 + len(groups) + number * NODE_LIMIT)
        nodes.append(_index_block(_NODE_HEAD, pointers, NODE_LIMIT, seed))
    return nodes


def _leaves(entries: Sequence[bytes], hashes: Sequence[NameHash]) -> list[Leaf]:
    """Entries in order of hash, cut where a block is full.

    Where a cut falls between names of equal hash, the lowest bit of the later block's hash
    tells that a search must look there too.
    """
    leaves: list[Leaf] = []
    room = 0
    last = -1
    for index in sorted(range(len(entries)), key=hashes.__getitem__):
        entry, major = entries[index], hashes[index] >> 32
        if len(entry) > room:
            leaves.append(Leaf(major | (major == last), []))
            room = ENTRIES_BYTES
        leaves[-1].entries.append(entry)
        room -= len(entry)
        last = major
    return leaves


def _pointers(leaves: Sequence[Leaf], first_block: int) -> list[tuple[int, int]]:
    return [(leaf.first_hash, first_block + i) for i, leaf in enumerate(leaves)]


def _root(
    dots: Sequence[bytes], pointers: list[tuple[int, int]], *, levels: int, seed: int
) -> bytes:
    dot, dot_dot = dots
    inode, _, name_length, file_type = DIRENT.unpack_from(dot_dot)
    # the entry of ".." covers the rest of the block, index included
    stretched = DIRENT.pack(inode, BLOCK_BYTES - len(dot), name_length, file_type) + dot_dot[8:]
    info = DX_ROOT_INFO.pack(0, HASH_VERSION, DX_ROOT_INFO.size, levels, 0)
    return _index_block(dot + stretched + info, pointers, ROOT_LIMIT, seed)


def _index_block(head: bytes, pointers: list[tuple[int, int]], limit: int, seed: int) -> bytes:
    """A node of the index.  Its first pointer has no hash; limit and count stand in its place."""
    _, first = pointers[0]
    block = b"".join(
        [
            head,
            DX_COUNT_LIMIT.pack(limit, len(pointers)),
            first.to_bytes(4, "little"),
            *[DX_ENTRY.pack(name_hash, number) for name_hash, number in pointers[1:]],
        ]
    )
    checksum = crc32c(crc32c(seed, block), bytes(DX_TAIL.size))
    return block.ljust(BLOCK_BYTES - DX_TAIL.size, b"\0") + DX_TAIL.pack(0, checksum)


def _ceil(amount: int, unit: int) -> int:
    return -(-amount // unit)
