from __future__ import annotations

import lzma
import random
from collections.abc import Iterator

import pytest

from bootsmith.errors import ArchiveError
from bootsmith.sources.inflate import inflated
from tests.support.debian_repository import compress

DATA = random.Random(1).randbytes(300_000) + bytes(300_000)
FORMS = ("xz", "gz", "zst")


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("size", [1 << 20, 4096, 7])
@pytest.mark.parametrize("form", FORMS)
def test_what_was_compressed_comes_back(form: str, size: int) -> None:
    data = DATA if size > 100 else DATA[-20_000:]
    packed = compress(data, form)
    assert b"".join(inflated(_pieces(packed, size), f".{form}")) == data


@pytest.mark.parametrize("form", FORMS)
def test_several_streams_one_after_the_other(form: str) -> None:
    packed = compress(b"one", form) + compress(b"two", form)
    assert b"".join(inflated([packed], f".{form}")) == b"onetwo"
    assert b"".join(inflated(_pieces(packed, 1), f".{form}")) == b"onetwo"


@pytest.mark.parametrize("form", FORMS)
def test_nothing_compressed(form: str) -> None:
    assert b"".join(inflated([compress(b"", form)], f".{form}")) == b""


def test_plain_data_passes() -> None:
    assert list(inflated([b"a", b"b"], "")) == [b"a", b"b"]


def test_the_old_form_of_xz() -> None:
    packed = lzma.compress(DATA, lzma.FORMAT_ALONE)
    assert b"".join(inflated([packed], ".lzma")) == DATA


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("keep", [0, 1, 10, -1])
def test_data_that_is_cut_off(form: str, keep: int) -> None:
    packed = compress(DATA, form)
    with pytest.raises(ArchiveError, match=f"[.]{form} data is cut off"):
        list(inflated([packed[:keep]] if keep else [], f".{form}"))


@pytest.mark.parametrize("form", FORMS)
def test_damaged_data(form: str) -> None:
    packed = bytearray(compress(DATA, form))
    packed[len(packed) // 2] ^= 0xFF
    packed[-3] ^= 0xFF
    with pytest.raises(ArchiveError, match=r"damaged|cut off"):
        list(inflated([bytes(packed)], f".{form}"))


@pytest.mark.parametrize("form", FORMS)
def test_something_else_behind_the_data(form: str) -> None:
    with pytest.raises(ArchiveError, match=r"damaged|cut off"):
        list(inflated([compress(b"x", form) + b"not a stream at all"], f".{form}"))
