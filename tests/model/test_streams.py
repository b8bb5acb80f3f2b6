"""Byte streams: reading ahead in two ways."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootsmith.model.streams import CHUNK_BYTES, BytesSource, ReadAhead, ahead

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


@given(st.lists(st.binary(max_size=3)))
def test_what_is_made_ahead_is_the_same(chunks: list[bytes]) -> None:
    assert list(ahead(chunks)) == chunks


def test_the_next_chunk_is_made_meanwhile() -> None:
    made = threading.Event()

    def chunks() -> Iterator[bytes]:
        yield b"1"
        made.set()
        yield b"2"

    stream = ahead(chunks())
    assert next(stream) == b"1"
    assert made.wait(30)
    assert list(stream) == [b"2"]


def test_what_the_maker_raises_is_raised() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"1"
        raise ValueError("the maker's")

    stream = ahead(chunks())
    assert next(stream) == b"1"
    with pytest.raises(ValueError, match="the maker's"):
        next(stream)


def test_a_stream_may_be_left() -> None:
    threads = threading.active_count()
    stream = ahead([b"1", b"2", b"3"])
    assert next(stream) == b"1"
    stream.close()
    assert threading.active_count() == threads
