"""CRC-32C as ext4 uses it (``ext4_chksum``): neither inverted before nor after.

``google_crc32c`` does the work where it is installed.  The fallback runs over many equal-long
records at once, one column of bytes after the other: ``bytes.translate`` is a table look-up
for a whole column, and a column XORed with another is one operation on two big integers.
"""

from __future__ import annotations

from collections.abc import Sequence

try:
    import google_crc32c
except ImportError:  # there is no wheel for musl
    google_crc32c = None  # type: ignore[assignment]

_MASK = 0xFFFF_FFFF
_POLYNOMIAL = 0x82F6_3B78  # Castagnoli, bits reversed
_COLUMNS_PAY_OFF_AT = 16  # records; below that a plain loop is faster


def crc32c(seed: int, data: bytes) -> int:
    """``data`` appended to what ``seed`` is the checksum of."""
    if google_crc32c is None:
        return crc32c_by_table(seed, data)
    inverted: int = google_crc32c.extend(~seed & _MASK, data)
    return ~inverted & _MASK


def crc32c_each(seeds: Sequence[int], records: Sequence[bytes]) -> list[int]:
    """The checksum of each of ``records``, all of one length, from its own seed."""
    if google_crc32c is None:
        return crc32c_by_columns(seeds, records)
    extend = google_crc32c.extend
    return [
        ~extend(~seed & _MASK, record) & _MASK for seed, record in zip(seeds, records, strict=True)
    ]


def crc32c_by_table(seed: int, data: bytes) -> int:
    """``crc32c`` without any library."""
    table = _TABLE
    for byte in data:
        seed = table[(seed ^ byte) & 0xFF] ^ (seed >> 8)
    return seed


def crc32c_by_columns(seeds: Sequence[int], records: Sequence[bytes]) -> list[int]:
    """``crc32c_each`` without any library."""
    count = len(records)
    if count < _COLUMNS_PAY_OFF_AT:
        return [crc32c_by_table(seed, record) for seed, record in zip(seeds, records, strict=True)]
    length = len(records[0])
    joined = b"".join(records)
    assert len(joined) == count * length, "records of one length"
    state = b"".join(seed.to_bytes(4, "little") for seed in seeds)
    low, second, third, high = (state[byte::4] for byte in range(4))
    t0, t1, t2, t3 = _TABLE_BYTES
    for column in range(length):
        index = _xor(low, joined[column::length], count)
        low = _xor(second, index.translate(t0), count)
        second = _xor(third, index.translate(t1), count)
        third = _xor(high, index.translate(t2), count)
        high = index.translate(t3)
    return [
        a | b << 8 | c << 16 | d << 24 for a, b, c, d in zip(low, second, third, high, strict=True)
    ]


def _xor(left: bytes, right: bytes, length: int) -> bytes:
    mixed = int.from_bytes(left, "little") ^ int.from_bytes(right, "little")
    return mixed.to_bytes(length, "little")


def _table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)  # noqa: PLW2901
        table.append(value)
    return tuple(table)


_TABLE = _table()
_TABLE_BYTES = tuple(bytes(entry >> shift & 0xFF for entry in _TABLE) for shift in (0, 8, 16, 24))
