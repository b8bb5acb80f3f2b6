"""Compressed streams: ours unpacked by the tools, theirs by us."""

from __future__ import annotations

import bz2
import lzma

import lz4.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootsmith.errors import ArchiveError, ConfigError
from bootsmith.image.compression import (
    LZ4_LEGACY_BLOCK_BYTES,
    LZ4_LEGACY_MAGIC,
    CompressingSink,
    Compression,
    compressed,
)
from bootsmith.image.decompression import compression_name, decompressed
from bootsmith.model.streams import BytesSink, BytesSource
from tests.support.examples import examples
from tests.support.judges import judge

TEXT = b"".join(b"line %d of a text that repeats\n" % number for number in range(4000))
PACKED = [item for item in Compression if item is not Compression.NONE]
TOOLS = {
    Compression.LZ4: ("lz4", "-dc"),
    Compression.GZIP: ("gzip", "-dc"),
    Compression.XZ: ("xz", "-dc"),
    Compression.ZSTD: ("zstd", "-dcq"),
}
SIZES = [0, 1, LZ4_LEGACY_BLOCK_BYTES - 1, LZ4_LEGACY_BLOCK_BYTES, LZ4_LEGACY_BLOCK_BYTES + 1]


@pytest.mark.parametrize("compression", PACKED)
@examples(25)
@given(data=st.binary(max_size=2000))
def test_what_is_packed_is_unpacked(compression: Compression, data: bytes) -> None:
    assert decompressed(compressed(data, compression)) == data


@pytest.mark.parametrize("compression", PACKED)
def test_the_pieces_it_comes_in_do_not_matter(compression: Compression) -> None:
    sink = BytesSink()
    compressing = CompressingSink(sink, compression)
    compressing.write(TEXT[:1])
    compressing.copy_from(BytesSource(TEXT), 1, len(TEXT) - 1)
    compressing.skip(100_000)
    compressing.finish()
    assert decompressed(bytes(sink.data)) == TEXT + bytes(100_000)
    assert bytes(sink.data) == compressed(TEXT + bytes(100_000), compression)


@pytest.mark.judge
@pytest.mark.parametrize("compression", PACKED)
def test_the_tools_unpack_it(compression: Compression) -> None:
    said = judge(*TOOLS[compression], stdin=compressed(TEXT, compression))
    assert said.encode() == TEXT


@pytest.mark.parametrize("size", SIZES)
def test_lz4_at_the_edges_of_its_blocks(size: int) -> None:
    data = (TEXT * (size // len(TEXT) + 1))[:size]
    packed = compressed(data, Compression.LZ4)
    assert packed.startswith(LZ4_LEGACY_MAGIC)
    assert decompressed(packed) == data


def test_lz4_of_what_cannot_be_compressed() -> None:
    data = bytes((number * 2654435761 >> 13) & 0xFF for number in range(100_000))
    assert decompressed(compressed(data, Compression.LZ4)) == data


@pytest.mark.parametrize("compression", PACKED)
def test_every_cut_is_noticed(compression: Compression) -> None:
    packed = compressed(TEXT, compression)
    for length in range(12, len(packed) - 1, max(1, len(packed) // 40)):
        with pytest.raises(ArchiveError):
            decompressed(packed[:length])


@pytest.mark.parametrize("compression", [Compression.GZIP, Compression.XZ, Compression.LZ4])
def test_damage_is_noticed(compression: Compression) -> None:
    packed = bytearray(compressed(TEXT, compression))
    for position in range(12, 60):
        packed[position] ^= 0xFF
    with pytest.raises(ArchiveError):
        decompressed(bytes(packed))


@pytest.mark.parametrize("compression", PACKED)
def test_what_follows_the_stream_is_left_aside(compression: Compression) -> None:
    """Kernels have the length of what was packed there."""
    assert decompressed(compressed(TEXT, compression) + b"\x00\x10\x00\x00") == TEXT


@pytest.mark.parametrize("compression", PACKED)
def test_bombs_are_refused(compression: Compression) -> None:
    packed = compressed(bytes(9 << 20), compression)
    with pytest.raises(ArchiveError, match="grows beyond"):
        decompressed(packed, most_bytes=1 << 20)


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("bzip2", bz2.compress(TEXT)),
        ("lzma", lzma.compress(TEXT, lzma.FORMAT_ALONE)),
        ("lz4 frame", lz4.frame.compress(TEXT)),
        ("xz", lzma.compress(TEXT, check=lzma.CHECK_SHA256)),
    ],
)
def test_what_others_pack(name: str, packed: bytes) -> None:
    assert compression_name(packed) == name
    assert decompressed(packed) == TEXT
    with pytest.raises(ArchiveError):
        decompressed(packed[:-20])


def test_what_is_not_compressed_comes_back_itself() -> None:
    data = b"\x7fELF plain"
    assert decompressed(data) is data


def test_names_of_compressions() -> None:
    assert Compression.parse("zstd") is Compression.ZSTD
    with pytest.raises(ConfigError, match="none, lz4, gzip, xz, zstd"):
        Compression.parse("rar")
