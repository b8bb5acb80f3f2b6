"""What we write: read again by us, by Python's tarfile and by GNU tar."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given

from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import guest_path
from bootsmith.model.streams import BytesSource
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import (
    BlobSlice,
    Content,
    Entry,
    HardLink,
    InlineBytes,
    Member,
    Metadata,
    RegularFile,
    Run,
    SparseContent,
    Symlink,
)
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer, layer_of, overlay, read_layer
from bootsmith.tree.tar_writer import store_tar, tar_chunks
from tests.support.judges import judge
from tests.support.memory_blobs import MemoryBlobs
from tests.support.trees import trees


def written(*members: Member, blobs: MemoryBlobs | None = None) -> bytes:
    return b"".join(tar_chunks(members, blobs=blobs or MemoryBlobs()))


def file(
    path: str | bytes, data: bytes = b"", *, uid: int = 0, gid: int = 0, mtime_ns: int = 0
) -> Member:
    metadata = Metadata(0o644, uid, gid, mtime_ns)
    return Member(guest_path(path), RegularFile(metadata, InlineBytes(data)))


@given(trees())
def test_a_tree_written_and_read_is_the_same_tree(tree: FileTree) -> None:
    data = written(*layer_of(tree).members)
    again = overlay(FileTree(), read_layer(BytesSource(data), Digest.of(data)))
    blobs = MemoryBlobs()
    blobs.add(data)
    assert _with_plain_contents(again, blobs) == _with_plain_contents(tree, blobs)


@given(trees())
def test_a_stored_tree_needs_only_its_own_blob(tree: FileTree) -> None:
    store = MemoryBlobs()
    descriptor, members = store_tar(layer_of(tree).members, store=store)
    read = read_layer(store.open_blob(descriptor.digest), descriptor.digest)
    assert Layer(members) == read


@given(trees())
def test_the_standard_library_reads_the_same(tree: FileTree) -> None:
    members = layer_of(tree).members
    with tarfile.open(
        fileobj=io.BytesIO(written(*members)), errors="surrogateescape", encoding="utf-8"
    ) as found:
        for member, info in zip(members, found.getmembers(), strict=True):
            name = info.name.encode("utf-8", "surrogateescape").removeprefix(b"./")
            assert (b"" if name == b"." else name) == member.path
            _assert_same(member.entry, info, found)


def test_ordinary_files_need_no_extended_header() -> None:
    data = written(file("a", b"x", uid=5, mtime_ns=10**18), file("d/" * 70 + "f", b"y"))
    assert b"PaxHeader" not in data
    assert len(data) == 4 * 512 + 1024


@pytest.mark.parametrize(
    ("member", "keyword"),
    [
        (file("n" * 101), b"path"),
        (file("d/" + "n" * 101), b"path"),
        (file("d" * 156 + "/f"), b"path"),
        (file("a", uid=1 << 21), b"uid"),
        (file("a", gid=1 << 21), b"gid"),
        (file("a", mtime_ns=1), b"mtime"),
        (file("a", mtime_ns=-(10**9)), b"mtime"),
        (Member(guest_path("l"), Symlink(Metadata(0o777), b"t" * 101)), b"linkpath"),
        (file(b"\xff" * 101), b"hdrcharset"),
    ],
)
def test_what_needs_an_extended_header(member: Member, keyword: bytes) -> None:
    target = file("t" * 10)
    assert b" " + keyword + b"=" in written(target, member)


def test_a_file_of_8_gib_needs_an_extended_header() -> None:
    class Zeros:
        """A source of blobs that are as long as anybody likes."""

        size_bytes = 8 << 30

        def open_blob(self, _blob: Digest) -> Zeros:
            return self

        def read_at(self, _offset: int, size: int) -> bytes:
            return bytes(size)

    content = BlobSlice(Digest.of(b""), 0, Zeros.size_bytes)
    member = Member(guest_path("f"), RegularFile(Metadata(0), content))
    assert b"19 size=8589934592\n" in next(tar_chunks([member], blobs=Zeros()))


def test_holes_cost_nothing() -> None:
    content = SparseContent(1 << 40, (Run(1 << 39, InlineBytes(b"x")),))
    data = written(Member(guest_path("s"), RegularFile(Metadata(0o600), content)))
    assert len(data) < 5000


@pytest.mark.judge
def test_gnu_tar_extracts_the_same(tmp_path: Path) -> None:
    sparse = SparseContent(300_000, (Run(100_000, InlineBytes(b"abc")),))
    members = [
        Member(guest_path("sparse"), RegularFile(Metadata(0o600), sparse)),
        file("long/" + "x" * 200, b"long", mtime_ns=1_500_000_000),
        file(b"bytes/\xff\xfe", b"bytes"),
        file(b"bytes/\xff" + b"x" * 150, b"more"),
        Member(guest_path("link"), Symlink(Metadata(0o777), b"t" * 150)),
        Member(guest_path("hard"), HardLink(guest_path("sparse"))),
    ]
    archive = tmp_path / "archive.tar"
    archive.write_bytes(written(*members))
    target = tmp_path / "out"
    target.mkdir()
    judge("tar", "-xf", archive, "-C", target, "--no-same-owner")
    assert (target / "sparse").read_bytes() == bytes(100_000) + b"abc" + bytes(199_997)
    assert (target / "sparse").stat().st_nlink == 2
    assert (target / "long" / ("x" * 200)).stat().st_mtime_ns == 1_500_000_000
    assert sorted(path.read_bytes() for path in (target / "bytes").iterdir()) == [b"bytes", b"more"]
    assert str((target / "link").readlink()) == "t" * 150


def _with_plain_contents(tree: FileTree, blobs: MemoryBlobs) -> dict[bytes, Entry]:
    plain: dict[bytes, Entry] = {}
    for path, entry in tree.items():
        if isinstance(entry, RegularFile):
            data = read_content(entry.content, blobs=blobs)
            plain[path] = entry._replace(content=InlineBytes(data))
        else:
            plain[path] = entry
    return plain


def _assert_same(entry: Entry, info: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
    if isinstance(entry, HardLink):
        assert info.islnk()
        assert info.linkname.encode("utf-8", "surrogateescape") == entry.target
        return
    assert (info.mode, info.uid, info.gid) == entry.metadata[:3]
    assert abs(info.mtime - entry.metadata.mtime_ns / 10**9) < 0.001
    if isinstance(entry, Symlink):
        assert info.linkname.encode("utf-8", "surrogateescape") == entry.target
    if isinstance(entry, RegularFile):
        file = archive.extractfile(info)
        assert file is not None
        assert file.read() == _read(entry.content)


def _read(content: Content) -> bytes:
    return read_content(content, blobs=MemoryBlobs())
