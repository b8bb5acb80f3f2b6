"""Lists of members come back as they went in, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given

from bootsmith.errors import ArchiveError
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import GuestPath
from bootsmith.tree.entry import (
    BlobSlice,
    Device,
    HardLink,
    InlineBytes,
    Member,
    Metadata,
    RegularFile,
    Run,
    SparseContent,
)
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import layer_of
from bootsmith.tree.member_list import MemberList, decode_members, encode_members
from tests.support.trees import trees

_BLOBS = tuple(Digest.of(b"%d" % number) for number in range(3))
_METADATA = Metadata(0o6755, 0, 0xFFFF_FFFE, -1, ((b"user.a", b"\xff"), (b"user.b", b"")))
_MEMBERS = (
    Member(GuestPath(b"a"), RegularFile(_METADATA, BlobSlice(_BLOBS[0], 1 << 40, 1))),
    Member(GuestPath(b"\xff"), RegularFile(Metadata(0), InlineBytes(b"\0"))),
    Member(
        GuestPath(b"sparse"),
        RegularFile(
            _METADATA,
            SparseContent(
                1 << 42,
                (Run(9, InlineBytes(b"x")), Run(1 << 41, BlobSlice(_BLOBS[1], 0, 5))),
            ),
        ),
    ),
    Member(GuestPath(b"early"), HardLink(GuestPath(b"later"))),
    Member(GuestPath(b"null"), Device(Metadata(0o666), is_block=False, major=1, minor=3)),
)


def test_every_kind_comes_back() -> None:
    found = MemberList(_MEMBERS, note="a line")
    assert decode_members(encode_members(found)) == found
    assert found.blobs == {_BLOBS[0], _BLOBS[1]}


@given(trees())
def test_every_tree_comes_back(tree: FileTree) -> None:
    members = layer_of(tree).members
    assert FileTree(dict(decode_members(encode_members(MemberList(members))).members)) == tree


_GOOD = encode_members(MemberList(_MEMBERS))


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xf6", _GOOD[:-1], b"\x84" + _GOOD[2:]])
def test_what_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(ArchiveError, match="not a list of members"):
        decode_members(data)
