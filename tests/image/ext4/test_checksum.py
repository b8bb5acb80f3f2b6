from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootsmith.image.ext4 import checksum
from bootsmith.image.ext4.checksum import crc32c, crc32c_by_columns, crc32c_by_table, crc32c_each

seeds = st.integers(0, 0xFFFF_FFFF)


@pytest.mark.parametrize("function", [crc32c, crc32c_by_table])
def test_the_check_value_of_crc32c(function: Callable[[int, bytes], int]) -> None:
    # the catalogue of CRCs gives 0xE3069283 for these digits, inverted before and after
    assert function(0xFFFF_FFFF, b"123456789") ^ 0xFFFF_FFFF == 0xE306_9283


@given(seed=seeds, data=st.binary(max_size=600))
def test_library_and_table_agree(seed: int, data: bytes) -> None:
    assert crc32c(seed, data) == crc32c_by_table(seed, data)


@given(
    length=st.integers(0, 300),
    starts=st.lists(seeds, max_size=40),
    random=st.randoms(use_true_random=False),
)
def test_many_records_at_once(length: int, starts: list[int], random: Random) -> None:
    records = [random.randbytes(length) for _ in starts]
    expected = [crc32c_by_table(seed, record) for seed, record in zip(starts, records, strict=True)]
    assert crc32c_by_columns(starts, records) == expected
    assert crc32c_each(starts, records) == expected


def test_continuing_a_checksum_is_the_checksum_of_the_whole() -> None:
    assert crc32c(crc32c(7, b"left"), b"right") == crc32c(7, b"leftright")


def test_without_the_library_the_fallbacks_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = crc32c(1, b"data"), crc32c_each([1] * 20, [b"data"] * 20)
    monkeypatch.setattr(checksum, "google_crc32c", None)
    assert (crc32c(1, b"data"), crc32c_each([1] * 20, [b"data"] * 20)) == expected
