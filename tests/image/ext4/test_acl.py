from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootsmith.errors import ArchiveError
from bootsmith.image.ext4.acl import from_ext4, to_ext4

NO_ID = 0xFFFF_FFFF
USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 1, 2, 4, 8, 0x10, 0x20


def portable(*entries: tuple[int, int, int]) -> bytes:
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def test_named_entries_keep_their_id_and_others_lose_it() -> None:
    acl = portable((USER_OBJ, 7, NO_ID), (USER, 6, 1000), (GROUP_OBJ, 5, NO_ID), (OTHER, 4, NO_ID))
    stored = struct.pack("<IHHHHIHHHH", 1, USER_OBJ, 7, USER, 6, 1000, GROUP_OBJ, 5, OTHER, 4)
    assert to_ext4(acl) == stored
    assert from_ext4(stored) == acl


entries = st.one_of(
    st.tuples(
        st.sampled_from([USER_OBJ, GROUP_OBJ, MASK, OTHER]), st.integers(0, 7), st.just(NO_ID)
    ),
    st.tuples(st.sampled_from([USER, GROUP]), st.integers(0, 7), st.integers(0, NO_ID)),
)


@given(st.lists(entries, max_size=30))
def test_there_and_back(found: list[tuple[int, int, int]]) -> None:
    acl = portable(*found)
    assert from_ext4(to_ext4(acl)) == acl


@pytest.mark.parametrize(
    "acl",
    [
        pytest.param(b"", id="empty"),
        pytest.param(struct.pack("<I", 1), id="wrong version"),
        pytest.param(portable((USER_OBJ, 7, NO_ID))[:-1], id="cut short"),
        pytest.param(portable((0x40, 7, NO_ID)), id="unknown tag"),
    ],
)
def test_malformed_portable_lists(acl: bytes) -> None:
    with pytest.raises(ArchiveError):
        to_ext4(acl)


@given(st.binary(max_size=40))
def test_malformed_stored_lists_raise_or_read(acl: bytes) -> None:
    try:
        from_ext4(b"\1\0\0\0" + acl)
    except ArchiveError:
        return
