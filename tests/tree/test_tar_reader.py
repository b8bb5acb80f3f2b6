"""Every shape of tar that is legal, and every one that is not."""

from __future__ import annotations

import base64
import io
import tarfile

import pytest

from bootsmith.errors import ArchiveError, UnsafePath
from bootsmith.model.guest_path import GuestPath
from bootsmith.tree.entry import Device, Directory, Fifo, HardLink, Metadata, RegularFile, Symlink
from bootsmith.tree.tar_reader import EXTENSION_MAX_BYTES
from tests.support import tar_shapes as shapes
from tests.tree.reading import content_of, members_of, only_member

LONG = b"d" * 60 + b"/" + b"f" * 150


def test_plain_members_with_all_their_metadata() -> None:
    data = shapes.archive(
        shapes.directory(b"./", mode=0o755),
        shapes.directory(b"./etc/", mode=0o2750, uid=7, gid=8, mtime=9),
        shapes.file(b"./etc/motd", b"hello", mode=0o4755, uid=1000, gid=1001, mtime=1_700_000_000),
        shapes.symlink(b"./etc/link", b"../x"),
        shapes.hard_link(b"./etc/hard", b"./etc/motd"),
        shapes.header(b"./dev/null", kind=b"3", device=(1, 3), mode=0o666),
        shapes.header(b"./dev/vda", kind=b"4", device=(254, 0)),
        shapes.header(b"./run/pipe", kind=b"6"),
        shapes.file(b"./contiguous", b"x", kind=b"7"),
    )
    found = members_of(data)
    assert [member.path for member in found] == [
        b"", b"etc", b"etc/motd", b"etc/link", b"etc/hard", b"dev/null", b"dev/vda", b"run/pipe",
        b"contiguous",
    ]  # fmt: skip
    entries = [member.entry for member in found]
    assert entries[1] == Directory(Metadata(0o2750, 7, 8, 9_000_000_000))
    assert isinstance(entries[2], RegularFile)
    assert entries[2].metadata == Metadata(0o4755, 1000, 1001, 1_700_000_000_000_000_000)
    assert content_of(data, found[2]) == b"hello"
    assert entries[3] == Symlink(Metadata(0o777), b"../x")
    assert entries[4] == HardLink(GuestPath(b"etc/motd"))
    assert entries[5] == Device(Metadata(0o666), is_block=False, major=1, minor=3)
    assert entries[6] == Device(Metadata(0o644), is_block=True, major=254, minor=0)
    assert entries[7] == Fifo(Metadata(0o644))
    assert content_of(data, found[8]) == b"x"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (b"a", b"a"),
        (b"./a", b"a"),
        (b"/a", b"a"),
        (b".//a//b", b"a/b"),
        (b"a/./b", b"a/b"),
        (b"a/.b", b"a/.b"),
        (b"a/...", b"a/..."),
        (b"\xff\xfe/\xe4", b"\xff\xfe/\xe4"),
        ("käse".encode(), "käse".encode()),
        (b"n" * 100, b"n" * 100),
        (b"with space\n", b"with space\n"),
    ],
)
def test_names(written: bytes, meant: bytes) -> None:
    assert only_member(shapes.archive(shapes.file(written))).path == meant


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("ustar prefix", shapes.file(b"f" * 90, prefix=b"p" * 155)),
        ("star prefix", shapes.file(b"f" * 90, prefix=b"p" * 131, tail=bytes(8) + b"tar\0")),
        ("pax", shapes.pax({b"path": LONG}) + shapes.file(LONG[:100])),
        ("GNU", shapes.gnu_long(LONG) + shapes.file(LONG[:100], magic=shapes.GNU)),
        (
            "pax over GNU",
            shapes.gnu_long(b"other") + shapes.pax({b"path": LONG}) + shapes.file(b"x"),
        ),
        ("global", shapes.pax({b"path": LONG}, kind=b"g") + shapes.file(b"x")),
    ],
)
def test_long_names(name: str, parts: bytes) -> None:
    found = only_member(shapes.archive(parts)).path
    meant = {
        "ustar prefix": b"p" * 155 + b"/" + b"f" * 90,
        "star prefix": b"p" * 131 + b"/" + b"f" * 90,
    }.get(name, LONG)
    assert found == meant


def test_gnu_header_has_no_prefix() -> None:
    """That place holds times in GNU's headers."""
    data = shapes.archive(shapes.file(b"f", magic=shapes.GNU, prefix=b"00000000001"))
    assert only_member(data).path == b"f"


def test_header_from_before_posix() -> None:
    data = shapes.archive(
        shapes.file(b"old/", kind=b"\0", magic=shapes.V7),
        shapes.file(b"old/f", b"12", kind=b"\0", magic=shapes.V7, prefix=b"no prefix here"),
    )
    directory, file = members_of(data)
    assert isinstance(directory.entry, Directory)
    assert file.path == b"old/f"
    assert content_of(data, file) == b"12"


@pytest.mark.parametrize(
    ("records", "metadata"),
    [
        ({b"uid": b"70000", b"gid": b"4294967294"}, Metadata(0o644, 70000, 4294967294)),
        ({b"mtime": b"1.5"}, Metadata(0o644, mtime_ns=1_500_000_000)),
        ({b"mtime": b"-1.5"}, Metadata(0o644, mtime_ns=-1_500_000_000)),
        ({b"mtime": b"-0.5"}, Metadata(0o644, mtime_ns=-500_000_000)),
        ({b"mtime": b"1.0000000019"}, Metadata(0o644, mtime_ns=1_000_000_001)),
        ({b"mtime": b"-1.0000000011"}, Metadata(0o644, mtime_ns=-1_000_000_002)),
        ({b"mtime": b"12345678901"}, Metadata(0o644, mtime_ns=12345678901_000_000_000)),
        ({b"comment": b"x", b"APK-TOOLS.checksum.SHA1": b"00"}, Metadata(0o644)),
        (
            {b"SCHILY.xattr.user.b": b"\0\n=", b"SCHILY.xattr.user.a": b""},
            Metadata(0o644, xattrs=((b"user.a", b""), (b"user.b", b"\0\n="))),
        ),
        (
            {b"LIBARCHIVE.xattr.user.%61": base64.b64encode(b"\xff\0x").rstrip(b"=")},
            Metadata(0o644, xattrs=((b"user.a", b"\xff\0x"),)),
        ),
        (
            {b"SCHILY.xattr.user.a": b"plain", b"LIBARCHIVE.xattr.user.a": b"b3RoZXI"},
            Metadata(0o644, xattrs=((b"user.a", b"plain"),)),
        ),
    ],
)
def test_pax_metadata(records: dict[bytes, bytes], metadata: Metadata) -> None:
    entry = only_member(shapes.archive(shapes.pax(records), shapes.file(b"f"))).entry
    assert isinstance(entry, RegularFile)
    assert entry.metadata == metadata


def test_pax_records_hold_for_one_member_and_global_ones_for_the_rest() -> None:
    data = shapes.archive(
        shapes.pax({b"uid": b"1", b"gid": b"1"}, kind=b"g"),
        shapes.file(b"a"),
        shapes.pax({b"uid": b"2"}),
        shapes.file(b"b"),
        shapes.file(b"c"),
        shapes.pax({b"uid": b""}),  # an empty value takes the global one back
        shapes.file(b"d", uid=9),
        shapes.pax({b"gid": b""}, kind=b"g"),
        shapes.file(b"e", gid=3),
    )
    owners = [
        member.entry.metadata[1:3]
        for member in members_of(data)
        if isinstance(member.entry, RegularFile)
    ]
    assert owners == [(1, 1), (2, 1), (1, 1), (9, 1), (1, 3)]


def test_pax_size_beats_the_header() -> None:
    data = shapes.archive(
        shapes.pax({b"size": b"3"}), shapes.header(b"f"), shapes.blocks(b"abc"), shapes.file(b"g")
    )
    first, second = members_of(data)
    assert content_of(data, first) == b"abc"
    assert second.path == b"g"


def test_numbers_in_base_256() -> None:
    data = shapes.archive(
        shapes.header(b"f", uid=shapes.base256(3_000_000, 8), mtime=shapes.base256(-5, 12))
    )
    entry = only_member(data).entry
    assert isinstance(entry, RegularFile)
    assert entry.metadata == Metadata(0o644, 3_000_000, 0, -5_000_000_000)


def test_a_size_over_8_gib_in_base_256_is_believed() -> None:
    data = shapes.archive(shapes.header(b"f", size=shapes.base256(9 << 30, 12)))
    with pytest.raises(ArchiveError, match="cut off") as caught:
        members_of(data)
    assert caught.value.member == "f"


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"5", b"6"])
def test_types_without_data_ignore_a_size(kind: bytes) -> None:
    data = shapes.archive(shapes.header(b"x", kind=kind, size=700, link=b"y"), shapes.file(b"z"))
    assert [member.path for member in members_of(data)] == [b"x", b"z"]


def test_long_link_targets() -> None:
    target = b"t" * 300
    data = shapes.archive(
        shapes.gnu_long(target, kind=b"K"),
        shapes.gnu_long(LONG),
        shapes.symlink(b"short", b"short"),
        shapes.pax({b"linkpath": target}),
        shapes.symlink(b"pax", b"short"),
    )
    gnu, pax = members_of(data)
    assert (gnu.path, gnu.entry) == (LONG, Symlink(Metadata(0o777), target))
    assert (pax.path, pax.entry) == (b"pax", Symlink(Metadata(0o777), target))


@pytest.mark.parametrize(
    "end",
    [bytes(1024), bytes(512), b"", bytes(10240), bytes(1024) + b"what follows is not read"],
    ids=["two blocks", "one block", "nothing", "a whole record", "more after it"],
)
def test_ends_of_archives(end: bytes) -> None:
    assert only_member(shapes.file(b"f", b"x") + end).path == b"f"


def test_padding_of_the_last_member_may_be_missing() -> None:
    data = shapes.file(b"f", b"x")[:513]
    assert content_of(data, only_member(data)) == b"x"


def test_an_archive_larger_than_what_is_read_at_once() -> None:
    big = bytes(range(256)) * 1024
    data = shapes.archive(*(shapes.file(b"f%d" % count, big) for count in range(5)))
    found = members_of(data)
    assert len(found) == 5
    assert all(content_of(data, member) == big for member in found)


SPARSE_10_MAP = b"2\n0\n3\n1000\n2\n"

SPARSE = {
    "old GNU": shapes.with_checksum(
        shapes.header(b"s", kind=b"S", size=5, magic=shapes.GNU)[:386]
        + shapes.octal(0, 12) + shapes.octal(3, 12)
        + shapes.octal(1000, 12) + shapes.octal(2, 12)
        + bytes(48) + b"\0" + shapes.octal(2000, 12) + bytes(17)
    ) + shapes.blocks(b"abcde"),
    "old GNU, extended": shapes.with_checksum(
        shapes.header(b"s", kind=b"S", size=5, magic=shapes.GNU)[:386]
        + shapes.octal(0, 12) + shapes.octal(3, 12) + bytes(72)
        + b"\1" + shapes.octal(2000, 12) + bytes(17)
    ) + shapes.octal(1000, 12) + shapes.octal(2, 12) + bytes(488) + shapes.blocks(b"abcde"),
    "0.0": shapes.pax(
        [
            (b"GNU.sparse.size", b"2000"), (b"GNU.sparse.numblocks", b"2"),
            (b"GNU.sparse.offset", b"0"), (b"GNU.sparse.numbytes", b"3"),
            (b"GNU.sparse.offset", b"1000"), (b"GNU.sparse.numbytes", b"2"),
        ]
    ) + shapes.file(b"s", b"abcde"),
    "0.1": shapes.pax(
        {
            b"GNU.sparse.size": b"2000", b"GNU.sparse.numblocks": b"2",
            b"GNU.sparse.map": b"0,3,1000,2", b"GNU.sparse.name": b"s",
        }
    ) + shapes.file(b"GNUSparseFile.0/s", b"abcde"),
    "1.0": shapes.pax(
        {
            b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0",
            b"GNU.sparse.name": b"s", b"GNU.sparse.realsize": b"2000",
        }
    ) + shapes.file(b"GNUSparseFile.0/s", shapes.blocks(SPARSE_10_MAP) + b"abcde"),
}  # fmt: skip


@pytest.mark.parametrize("form", SPARSE)
def test_sparse_files(form: str) -> None:
    data = shapes.archive(SPARSE[form], shapes.file(b"after", b"z"))
    sparse, after = members_of(data)
    assert sparse.path == b"s"
    assert content_of(data, sparse) == b"abc" + bytes(997) + b"de" + bytes(998)
    assert content_of(data, after) == b"z"


@pytest.mark.parametrize("form", SPARSE)
def test_the_judge_reads_sparse_files_as_we_do(form: str) -> None:
    data = shapes.archive(SPARSE[form])
    with tarfile.open(fileobj=io.BytesIO(data)) as judge:
        file = judge.extractfile(judge.getmember("s"))
        assert file is not None
        assert file.read() == content_of(data, only_member(data))


def sparse_01(sparse_map: bytes, size: bytes = b"10", data: bytes = b"ab") -> bytes:
    return shapes.pax({b"GNU.sparse.size": size, b"GNU.sparse.map": sparse_map}) + shapes.file(
        b"s", data
    )


BAD = {
    "checksum": shapes.file(b"f")[:10] + b"X" + shapes.file(b"f")[11:],
    "unknown type": shapes.header(b"f", kind=b"Z"),
    "volume header": shapes.header(b"f", kind=b"V"),
    "unknown type M": shapes.header(b"f", kind=b"M"),
    "size of no digits": shapes.header(b"f", size=b"12345678x\0\0\0"),
    "negative size": shapes.header(b"f", size=shapes.base256(-1, 12)),
    "negative owner": shapes.header(b"f", uid=shapes.base256(-1, 8)),
    "huge owner": shapes.header(b"f", uid=shapes.base256(1 << 32, 8)),
    "device of no number": shapes.header(b"f", kind=b"3", device=(4096, 0)),
    "no name": shapes.file(b""),
    "empty link": shapes.symlink(b"f", b""),
    "long link": shapes.pax({b"linkpath": b"x" * 4096}) + shapes.symlink(b"f", b"x"),
    "NUL in link": shapes.pax({b"linkpath": b"a\0b"}) + shapes.symlink(b"f", b"x"),
    "long path": shapes.pax({b"path": b"x/" * 2048 + b"y"}) + shapes.file(b"f"),
    "pax length": shapes.file(b"x", b"99 a=b\n", kind=b"x") + shapes.file(b"f"),
    "pax without sign": shapes.file(b"x", b"6 abc\n", kind=b"x") + shapes.file(b"f"),
    "pax text for length": shapes.file(b"x", b"six a=b\n", kind=b"x") + shapes.file(b"f"),
    "pax size": shapes.pax({b"size": b"-1"}) + shapes.file(b"f"),
    "pax uid": shapes.pax({b"uid": b"0x10"}) + shapes.file(b"f"),
    "pax mtime": shapes.pax({b"mtime": b"soon"}) + shapes.file(b"f"),
    "pax mtime of digits": shapes.pax({b"mtime": b"9" * 5000}) + shapes.file(b"f"),
    "xattr without name": shapes.pax({b"SCHILY.xattr.": b"x"}) + shapes.file(b"f"),
    "xattr too large": shapes.pax({b"SCHILY.xattr.user.a": b"x" * 65537}) + shapes.file(b"f"),
    "xattr no base64": shapes.pax({b"LIBARCHIVE.xattr.user.a": b"!"}) + shapes.file(b"f"),
    "pax alone": shapes.pax({b"path": b"x"}),
    "long name alone": shapes.gnu_long(b"x"),
    "extension too large": shapes.header(b"x", kind=b"x", size=EXTENSION_MAX_BYTES + 1),
    "sparse: odd map": sparse_01(b"0,1,5"),
    "sparse: descends": sparse_01(b"5,1,0,1"),
    "sparse: overlaps": sparse_01(b"0,2,1,0", data=b"ab"),
    "sparse: too long": sparse_01(b"9,2"),
    "sparse: other size": sparse_01(b"0,1"),
    "sparse: negative": sparse_01(b"0,-2"),
    "sparse: no size": shapes.pax({b"GNU.sparse.map": b"0,2"}) + shapes.file(b"s", b"ab"),
    "sparse: version 2": shapes.pax({b"GNU.sparse.major": b"2", b"GNU.sparse.minor": b"0"})
    + shapes.file(b"s", b"ab"),
    "sparse: two sizes": shapes.pax(
        [(b"GNU.sparse.offset", b"0"), (b"GNU.sparse.offset", b"1"), (b"GNU.sparse.size", b"2")]
    )
    + shapes.file(b"s", b"ab"),
    "sparse: map cut off": shapes.pax(
        {b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0", b"GNU.sparse.realsize": b"9"}
    )
    + shapes.file(b"s", b"900\n0\n1\n"),
    "zeros among members": shapes.file(b"f") + bytes(512) + shapes.file(b"g"),
}


@pytest.mark.parametrize("case", BAD)
def test_malformed_archives(case: str) -> None:
    with pytest.raises(ArchiveError) as caught:
        members_of(shapes.archive(BAD[case]))
    assert caught.value.offset is not None
    assert not isinstance(caught.value, UnsafePath)


UNSAFE = {
    "parent": shapes.file(b"../x"),
    "parent inside": shapes.file(b"a/../../x"),
    "parent at the end": shapes.directory(b"a/.."),
    "absolute parent": shapes.file(b"/../x"),
    "pax": shapes.pax({b"path": b"a/../x"}) + shapes.file(b"f"),
    "GNU": shapes.gnu_long(b"../x") + shapes.file(b"f", magic=shapes.GNU),
    "prefix": shapes.file(b"x", prefix=b".."),
    "NUL": shapes.pax({b"path": b"a\0b"}) + shapes.file(b"f"),
    "hard link": shapes.hard_link(b"f", b"../../etc/shadow"),
    "hard link by pax": shapes.pax({b"linkpath": b"../x"}) + shapes.hard_link(b"f", b"x"),
    "sparse name": shapes.pax(
        {b"GNU.sparse.size": b"2", b"GNU.sparse.map": b"0,2", b"GNU.sparse.name": b"../x"}
    )
    + shapes.file(b"s", b"ab"),
    "name of 256 bytes": shapes.pax({b"path": b"n" * 256}) + shapes.file(b"f"),
}


@pytest.mark.parametrize("case", UNSAFE)
def test_paths_that_would_leave(case: str) -> None:
    with pytest.raises(UnsafePath) as caught:
        members_of(shapes.archive(shapes.file(b"before"), UNSAFE[case]))
    assert caught.value.offset is not None
    assert caught.value.member is not None


def test_every_cut_is_an_error_or_a_shorter_archive() -> None:
    """A truncated archive never yields a member whose content is not all there."""
    data = shapes.archive(
        shapes.file(b"one", b"x" * 700), shapes.pax({b"uid": b"5"}), shapes.file(b"two", b"y" * 10)
    )
    whole = members_of(data)
    for length in range(1, len(data)):
        cut = data[:length]
        try:
            found = members_of(cut)
        except ArchiveError:
            continue
        assert [member.path for member in found] == [member.path for member in whole][: len(found)]
        assert all(len(content_of(cut, member)) in (10, 700) for member in found)


def test_an_empty_file_is_no_archive() -> None:
    with pytest.raises(ArchiveError, match="empty"):
        members_of(b"")


def test_a_sparse_map_of_a_million_stretches_is_refused() -> None:
    sparse_map = b"262145\n" + b"1\n1\n" * 262145
    data = shapes.archive(
        shapes.pax(
            {b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0", b"GNU.sparse.realsize": b"9"}
        ),
        shapes.file(b"s", shapes.blocks(sparse_map)),
    )
    with pytest.raises(ArchiveError, match="longer than bootsmith takes"):
        members_of(data)


def test_global_records_cannot_grow_without_end() -> None:
    parts = [shapes.pax({b"comment%d" % n: b"x" * 1000}, kind=b"g") for n in range(70)]
    with pytest.raises(ArchiveError, match="global pax records"):
        members_of(shapes.archive(*parts))


@pytest.mark.slow
def test_sparse_files_cannot_have_stretches_without_end() -> None:
    count = 100_000
    stretches = b"".join(b"%d,1," % (2 * n) for n in range(count)).rstrip(b",")
    part = sparse_01(stretches, size=b"%d" % (2 * count), data=b"x" * count)
    assert len(members_of(shapes.archive(part))) == 1
    with pytest.raises(ArchiveError, match="stretches of data"):
        members_of(shapes.archive(*[part] * 11))


@pytest.mark.parametrize("position", [0, 100, 124, 148, 156, 257, 345, 500])
def test_the_checksum_check_is_awake(position: int) -> None:
    """The checker itself, sabotaged: any flipped byte of a header must be noticed."""
    data = bytearray(shapes.archive(shapes.file(b"name", b"content")))
    data[position] ^= 0x04
    with pytest.raises(ArchiveError):
        members_of(bytes(data))


def test_old_tars_sum_signed_bytes() -> None:
    block = shapes.header(b"\xff\xfe")
    blank = block[:148] + b" " * 8 + block[156:]
    signed = sum(byte - 256 if byte > 127 else byte for byte in blank)
    data = shapes.archive(block[:148] + b"%06o\0 " % signed + block[156:])
    assert only_member(data).path == b"\xff\xfe"


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_archives_of_the_standard_library(form: int) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as judge:
        for count in range(50):
            info = tarfile.TarInfo(f"folder/ä{'x' * count}/{'n' * count}{count}")
            info.size, info.mtime, info.mode = count * 41, 1_600_000_000 + count, 0o600 + count
            info.uid, info.gid = count, count + 1
            judge.addfile(info, io.BytesIO(bytes([count]) * info.size))
    data = made.getvalue()
    with tarfile.open(fileobj=io.BytesIO(data)) as judge:
        for member, info in zip(members_of(data), judge.getmembers(), strict=True):
            assert isinstance(member.entry, RegularFile)
            assert member.path == info.name.encode()
            metadata = Metadata(info.mode, info.uid, info.gid, int(info.mtime) * 1_000_000_000)
            assert member.entry.metadata == metadata
            file = judge.extractfile(info)
            assert file is not None
            assert content_of(data, member) == file.read()
