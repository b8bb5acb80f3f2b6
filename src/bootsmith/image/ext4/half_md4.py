"""The hash of names in indexed directories: ext4's cut-down MD4 (``fs/ext4/hash.c``).

Hashing name by name costs 25 µs in Python.  Here a thousand names are hashed together: each
has a lane of 64 bits in one big integer, of which the lower 32 hold its word of the state, so
that an addition's carries and a rotation's overflow stay in the lane until they are masked.
Names are hashed as unsigned bytes; the superblock must say so.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

HASH_VERSION = 1  # DX_HASH_HALF_MD4

_BLOCK_BYTES = 32
_LANES_MAX = 1024
_LANE_BITS = 64
_DEFAULT_SEED = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)  # that of MD4
_END_OF_DIRECTORY = 0x7FFF_FFFF << 1  # EXT4_HTREE_EOF_32BIT, no name's hash


class NameHash(NamedTuple):
    major: int
    minor: int


class _Round(NamedTuple):
    constant: int
    words: tuple[int, ...]
    rotations: tuple[int, ...]


_ROUNDS = (
    _Round(0, (0, 1, 2, 3, 4, 5, 6, 7), (3, 7, 11, 19)),
    _Round(0x5A827999, (1, 3, 5, 7, 0, 2, 4, 6), (3, 5, 9, 13)),
    _Round(0x6ED9EBA1, (3, 7, 2, 6, 1, 5, 0, 4), (3, 9, 11, 15)),
)


def hash_names(names: Sequence[bytes], seed: bytes) -> list[NameHash]:
    """The hash of each name, under the superblock's ``s_hash_seed``."""
    by_length: dict[int, list[int]] = {}
    for index, name in enumerate(names):
        by_length.setdefault(-(-len(name) // _BLOCK_BYTES), []).append(index)
    hashes: list[NameHash] = [NameHash(0, 0)] * len(names)
    for blocks, indices in by_length.items():
        for start in range(0, len(indices), _LANES_MAX):
            batch = indices[start : start + _LANES_MAX]
            found = _hash_lanes([names[index] for index in batch], blocks, seed)
            for index, name_hash in zip(batch, found, strict=True):
                hashes[index] = name_hash
    return hashes


def _hash_lanes(names: list[bytes], blocks: int, seed: bytes) -> list[NameHash]:
    """Hash names that all fill the same number of 32-byte blocks."""
    count = len(names)
    ones = int.from_bytes(b"\1\0\0\0\0\0\0\0" * count, "little")
    mask = ones * 0xFFFF_FFFF
    words = struct.unpack("<4I", seed) if any(seed) else _DEFAULT_SEED
    state = tuple(word * ones for word in words)
    for block in range(blocks):
        text = b"".join([_padded(name, block * _BLOCK_BYTES) for name in names])
        state = _mix(state, _columns(text, count), ones, mask)
    _, major, minor, _ = (_lanes(word, count) for word in state)
    return [
        NameHash(min(high & ~1, _END_OF_DIRECTORY - 2), low)
        for high, low in zip(major, minor, strict=True)
    ]


def _mix(state: tuple[int, ...], words: list[int], ones: int, mask: int) -> tuple[int, ...]:
    """One block of every lane's name into its state."""
    a, b, c, d = state
    for number, (constant, order, rotations) in enumerate(_ROUNDS):
        for step, word in enumerate(order):
            if number == 0:
                mixed = d ^ (b & (c ^ d))
            elif number == 1:
                mixed = (b & c) + ((b ^ c) & d)
            else:
                mixed = b ^ c ^ d
            total = (a + mixed + words[word] + constant * ones) & mask
            rotation = rotations[step % 4]
            turned = (total << rotation | total >> (32 - rotation)) & mask
            a, b, c, d = d, turned, b, c
    return tuple((old + new) & mask for old, new in zip(state, (a, b, c, d), strict=True))


def _padded(name: bytes, start: int) -> bytes:
    """32 bytes of ``name`` from ``start``; what it lacks is filled with its remaining length.

    Words are read big-endian, and the padding of a word that is not full stands *before* the
    bytes it has.
    """
    text = name[start : start + _BLOCK_BYTES]
    if len(text) == _BLOCK_BYTES:
        return text
    padding = bytes([len(text)])
    whole = len(text) & ~3
    if whole != len(text):
        text = text[:whole] + text[whole:].rjust(4, padding)
    return text.ljust(_BLOCK_BYTES, padding)


def _columns(text: bytes, count: int) -> list[int]:
    """The eight words of every 32-byte block, each column as lanes of one integer."""
    columns = []
    for word in range(0, _BLOCK_BYTES, 4):
        lanes = bytearray(8 * count)
        for byte in range(4):
            lanes[byte::8] = text[word + 3 - byte :: _BLOCK_BYTES]
        columns.append(int.from_bytes(lanes, "little"))
    return columns


def _lanes(column: int, count: int) -> tuple[int, ...]:
    return struct.unpack(f"<{count}Q", column.to_bytes(count * _LANE_BITS // 8, "little"))
