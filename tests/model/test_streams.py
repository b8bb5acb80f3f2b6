"""Byte streams: reading ahead."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bootsmith.model.streams import CHUNK_BYTES, BytesSource, ReadAhead

DATA = bytes(range(256)) * ((3 * CHUNK_BYTES) // 256) + b"the end"


class CountedSource(BytesSource):
    reads = 0

    def read_at(self, offset: int, size: int) -> bytes:
        self.reads += 1
        return super().read_at(offset, size)


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(DATA) + 10), st.sampled_from([0, 1, 512, CHUNK_BYTES, 1 << 21])
        )
    )
)
def test_reading_ahead_reads_the_same(places: list[tuple[int, int]]) -> None:
    source = ReadAhead(BytesSource(DATA))
    assert source.size_bytes == len(DATA)
    for offset, size in places:
        assert source.read_at(offset, size) == DATA[offset : offset + size]


def test_neighbours_are_read_at_once() -> None:
    counted = CountedSource(DATA)
    source = ReadAhead(counted)
    for offset in range(0, CHUNK_BYTES, 512):
        assert source.read_at(offset, 512) == DATA[offset : offset + 512]
        assert source.read_at(offset, 10) == DATA[offset : offset + 10]
    assert counted.reads == 1
