"""A digest that comes about beside who reads, whatever the pieces are."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootsmith.host.hash_beside import HashBeside

SIZES = st.lists(st.sampled_from([0, 1, 100, (256 << 10) - 1, 256 << 10, 1 << 20]), max_size=12)


@given(SIZES)
def test_pieces_of_all_sizes_stay_in_their_order(sizes: list[int]) -> None:
    pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
    found = HashBeside()
    for piece in pieces:
        found.update(piece)
    assert found.digest().hex == hashlib.sha256(b"".join(pieces)).hexdigest()


@pytest.mark.parametrize("size", [10, 1 << 20])
def test_the_digest_may_be_asked_for_in_between(size: int) -> None:
    found = HashBeside()
    assert found.digest().hex == hashlib.sha256().hexdigest()
    found.update(bytes(size))
    assert found.digest().hex == hashlib.sha256(bytes(size)).hexdigest()
    found.update(b"more")
    assert found.digest().hex == hashlib.sha256(bytes(size) + b"more").hexdigest()
