"""The hash of names in indexed directories: ext4's cut-down MD4 (``fs/ext4/hash.c``).

Hashing name by name costs 25 µs in Python.  Here names of one length are hashed together: each
has a lane of 64 bits in one big integer, of which the lower 32 hold its word of the state, so
that an addition's carries and a rotation's overflow stay in the lane until they are masked.
Names are hashed as unsigned bytes; the superblock must say so.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple, NewType

HASH_VERSION = 1  # DX_HASH_HALF_MD4

_BLOCK_BYTES = 32
_LANES_MAX = 2048
_LANE_BITS = 64
_DEFAULT_SEED = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)  # that of MD4
_END_OF_DIRECTORY = 0x7FFF_FFFF << 1  # EXT4_HTREE_EOF_32BIT, no name's hash


NameHash = NewType("NameHash", int)
"""The major hash in the upper 32 bits, the minor in the lower: entries are sorted by both."""


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
    """The hash of each name (1 to 255 bytes), under the superblock's ``s_hash_seed``."""
    by_length: dict[int, list[int]] = {}
    for index, name in enumerate(names):
        by_length.setdefault(len(name), []).append(index)
    hashes = [NameHash(0)] * len(names)
    for length, indices in by_length.items():
        for start in range(0, len(indices), _LANES_MAX):
            batch = indices[start : start + _LANES_MAX]
            text = b"".join([names[index] for index in batch])
            found = _hash_lanes(text, length, len(batch), seed)
            for index, name_hash in zip(batch, found, strict=True):
                hashes[index] = name_hash
    return hashes


def _hash_lanes(text: bytes, length: int, count: int, seed: bytes) -> list[NameHash]:
    """The hashes of ``count`` names of ``length`` bytes, which stand one after the other."""
    ones = int.from_bytes(b"\1\0\0\0\0\0\0\0" * count, "little")
    mask = ones * 0xFFFF_FFFF
    words = struct.unpack("<4I", seed) if any(seed) else _DEFAULT_SEED
    state = tuple(word * ones for word in words)
    for start in range(0, length, _BLOCK_BYTES):
        columns = [
            _column(text, length, count, start=start, word=word)
            for word in range(0, _BLOCK_BYTES, 4)
        ]
        state = _mix(state, columns, ones, mask)
    _, major, minor, _ = (_lanes(word, count) for word in state)
    return [
        NameHash(min(high & ~1, _END_OF_DIRECTORY - 2) << 32 | low)
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


def _column(text: bytes, length: int, count: int, *, start: int, word: int) -> int:
    """One word of every name's 32-byte block from ``start``, as lanes of one integer.

    Words are big-endian.  What a name lacks is filled with the number of bytes it has left,
    and in a word that is not full, that filling stands *before* the bytes.
    """
    first = start + word
    filling = bytes([length - start & 0xFF]) * count
    present = [text[byte::length] for byte in range(first, min(first + 4, length))]
    lanes = bytearray(count * _LANE_BITS // 8)
    for byte, values in enumerate([filling] * (4 - len(present)) + present):
        lanes[3 - byte :: 8] = values
    return int.from_bytes(lanes, "little")


def _lanes(column: int, count: int) -> tuple[int, ...]:
    return struct.unpack(f"<{count}Q", column.to_bytes(count * _LANE_BITS // 8, "little"))
