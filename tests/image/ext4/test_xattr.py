from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootsmith.errors import ArchiveError, ImageError
from bootsmith.image.ext4.structures import BLOCK_BYTES
from bootsmith.image.ext4.xattr import (
    INODE_AREA_BYTES,
    decode_block,
    decode_inode_area,
    encode_xattrs,
    seal_block,
)
from bootsmith.tree.entry import Xattrs

SEED = 11
BLOCK = 4321
ROOM_IN_INODE = INODE_AREA_BYTES - 4 - 4 - 16 - 4  # two marks, an entry, a name of four bytes
ROOM_IN_BLOCK = BLOCK_BYTES - 32 - 4 - 16 - 4


def read_back(xattrs: Xattrs) -> Xattrs:
    stored = encode_xattrs(xattrs)
    found = decode_inode_area(stored.in_inode)
    if stored.block:
        found += decode_block(seal_block(stored.block, BLOCK, SEED), BLOCK, SEED)
    return tuple(sorted(found))


@pytest.mark.parametrize(
    ("value_bytes", "inside", "outside"),
    [
        pytest.param(0, True, False, id="no value"),
        pytest.param(ROOM_IN_INODE, True, False, id="the most an inode takes"),
        pytest.param(ROOM_IN_INODE + 1, False, True, id="a byte more"),
        pytest.param(ROOM_IN_BLOCK, False, True, id="the most a block takes"),
    ],
)
def test_where_an_attribute_goes(value_bytes: int, inside: bool, outside: bool) -> None:
    xattrs = ((b"user.name", b"v" * value_bytes),)
    stored = encode_xattrs(xattrs)
    assert (bool(stored.in_inode), bool(stored.block)) == (inside, outside)
    assert len(stored.in_inode) in (0, INODE_AREA_BYTES)
    assert len(stored.block) in (0, BLOCK_BYTES)
    assert read_back(xattrs) == xattrs


def test_some_inside_and_the_rest_outside() -> None:
    xattrs = ((b"user.a", b"small"), (b"user.b", b"x" * 500), (b"user.c", b"small"))
    stored = encode_xattrs(xattrs)
    assert stored.in_inode
    assert stored.block
    assert read_back(xattrs) == xattrs


@pytest.mark.parametrize(
    "xattrs",
    [
        pytest.param(((b"user.name", b"v" * (ROOM_IN_BLOCK + 1)),), id="too large a value"),
        pytest.param(tuple((b"user.%03d" % i, b"v" * 50) for i in range(99)), id="too many"),
        pytest.param(((b"unknown.name", b""),), id="unknown prefix"),
        pytest.param(((b"user.", b""),), id="only a prefix"),
        pytest.param(((b"system.posix_acl_access", b"rubbish"),), id="malformed ACL"),
    ],
)
def test_what_ext4_cannot_hold(xattrs: Xattrs) -> None:
    with pytest.raises(ImageError):
        encode_xattrs(xattrs)


def test_every_prefix_has_its_number() -> None:
    xattrs = (
        (b"security.capability", b"\1\0\0\2" + bytes(16)),
        (b"system.data", b"x"),
        (b"system.posix_acl_access", b"\2\0\0\0"),
        (b"system.posix_acl_default", b"\2\0\0\0"),
        (b"trusted.overlay.opaque", b"y"),
        (b"user.comment", b"hello"),
    )
    assert read_back(xattrs) == xattrs


names = st.binary(min_size=1, max_size=12).map(lambda suffix: b"user." + suffix)


@given(st.dictionaries(names, st.binary(max_size=300), max_size=8))
def test_there_and_back(found: dict[bytes, bytes]) -> None:
    xattrs = tuple(sorted(found.items()))
    assert read_back(xattrs) == xattrs


def test_a_flipped_bit_is_noticed() -> None:
    stored = encode_xattrs(((b"user.name", b"v" * 1000),))
    block = bytearray(seal_block(stored.block, BLOCK, SEED))
    block[-1] ^= 1
    with pytest.raises(ArchiveError, match="checksum"):
        decode_block(bytes(block), BLOCK, SEED)


def test_a_block_belongs_to_its_place() -> None:
    stored = encode_xattrs(((b"user.name", b"v" * 1000),))
    block = seal_block(stored.block, BLOCK, SEED)
    with pytest.raises(ArchiveError, match="checksum"):
        decode_block(block, BLOCK + 1, SEED)


@given(st.binary(max_size=INODE_AREA_BYTES))
def test_rubbish_raises_or_reads(area: bytes) -> None:
    try:
        decode_inode_area(b"\0\0\2\xea" + area)
    except ArchiveError:
        return
