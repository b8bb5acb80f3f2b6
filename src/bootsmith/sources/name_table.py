"""A sorted table of names, each with where something stands: the heart of a compact index.

On disk, all numbers little-endian:

===========  ===========================================================
head         u32 rows, u32 bytes of names
names        sorted, parted by line feeds
rows         one fixed-size row (the caller's struct) a name
===========  ===========================================================

It is used as it lies in the store: finding a name is a search, nothing is taken apart before.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

_HEAD = struct.Struct("<II")
assert _HEAD.size == 8


def write_table(rows: Iterable[tuple[bytes, tuple[int, ...]]], row: struct.Struct) -> bytes:
    """The table of ``rows``, sorted; each is a name and the fields of one ``row``."""
    ordered = sorted(rows)
    names = b"\n".join(name for name, _ in ordered)
    places = b"".join(row.pack(*fields) for _, fields in ordered)
    return _HEAD.pack(len(ordered), len(names)) + names + places


class NameTable(NamedTuple):
    """A table as it was written; rows of one name stand side by side, in sorted order."""

    names: list[bytes]
    rows: memoryview
    row: struct.Struct

    @classmethod
    def read(cls, data: bytes, start: int, row: struct.Struct) -> tuple[NameTable, int]:
        """The table at ``start``, and where it ends.

        Raises ``ValueError`` or ``struct.error`` when there is none.
        """
        count, names_size = _HEAD.unpack_from(data, start)
        names_at = start + _HEAD.size
        rows_at = names_at + names_size
        end = rows_at + count * row.size
        names = data[names_at:rows_at].split(b"\n") if count else []
        if len(names) != count or end > len(data):
            raise ValueError("rows are missing")
        return cls(names, memoryview(data)[rows_at:end], row), end

    def find(self, name: bytes) -> Iterator[tuple[Any, ...]]:
        """The fields of every row of ``name``."""
        at = bisect_left(self.names, name)
        while at < len(self.names) and self.names[at] == name:
            yield self.row.unpack_from(self.rows, at * self.row.size)
            at += 1
