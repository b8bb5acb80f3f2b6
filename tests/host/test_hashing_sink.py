"""A file hashed while it is written has the digest of the file as it lies there."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bootsmith.host.files import FileSource, sha256_of_file
from bootsmith.host.hashing_sink import HashingSink

_MIB = 1 << 20
_NOISE = random.Random(0).randbytes(3 * _MIB)

# What is written, in order: a number is a hole of so many bytes.
_SHAPES: dict[str, list[bytes | int]] = {
    "nothing": [],
    "a few bytes": [b"hello"],
    "one hole": [5 * _MIB + 3],
    "data, a hole at the end": [_NOISE, 40 * _MIB],
    "a hole, data": [64 << 10, _NOISE],
    "holes side by side": [b"x", 4096, 8192, b"y"],
    "many small pieces and holes": [part for _ in range(500) for part in (b"abc" * 999, 16 << 10)],
    "more than the reader waits for": [_NOISE] * 12,
}


@pytest.mark.parametrize("shape", _SHAPES.values(), ids=_SHAPES)
def test_the_digest_is_that_of_the_file(shape: list[bytes | int], tmp_path: Path) -> None:
    with HashingSink(tmp_path / "file") as sink:
        for part in shape:
            if isinstance(part, int):
                sink.skip(part)
            else:
                sink.write(part)
    assert sink.digest() == sha256_of_file(tmp_path / "file")
    assert (tmp_path / "file").stat().st_size == sink.position


def test_what_the_kernel_copies_is_hashed_too(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(_NOISE)
    with FileSource(tmp_path / "source") as source, HashingSink(tmp_path / "file") as sink:
        sink.write(b"head")
        sink.copy_from(source, 17, 2 * _MIB)
        sink.skip(_MIB)
        sink.copy_from(source, 0, 100)
    assert sink.digest() == sha256_of_file(tmp_path / "file")


def test_a_hole_that_is_none_is_noticed(tmp_path: Path) -> None:
    """The digest is of what was meant to be written, so that a false hole shows in verify."""
    with HashingSink(tmp_path / "file") as sink:
        sink.skip(_MIB)
        with (tmp_path / "file").open("r+b") as other:
            other.write(b"not zeros")
    assert sink.digest() != sha256_of_file(tmp_path / "file")


def test_an_error_while_writing_ends_the_reader(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), HashingSink(tmp_path / "file") as sink:
        sink.write(_NOISE)
        _ = 1 / 0
    assert (tmp_path / "file").exists()
