"""Packages opened: what dpkg-deb writes, and what nobody should accept."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from bootsmith.errors import ArchiveError, IntegrityError
from bootsmith.model.digest import Descriptor, Digest
from bootsmith.model.guest_path import guest_path
from bootsmith.model.streams import BytesSource
from bootsmith.sources.debian.deb import check_identity, open_deb
from bootsmith.sources.debian.unpacked import DATA_KIND, ChosenDeb, unpack_debs
from bootsmith.store.blobs import Store
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import RegularFile
from tests.support.debian_repository import (
    Deb,
    ar,
    compress,
    deb,
    deb_from_parts,
    paragraph,
    tar,
)
from tests.support.judges import judge

FILES = {"/usr/bin/hello": b"#!/bin/sh\necho hello\n", "/etc/hello.conf": b"greeting=hello\n"}
CONTROL = {
    "postinst": b"#!/bin/sh\nexit 0\n",
    "conffiles": b"/etc/hello.conf\n",
    "triggers": b"# a comment\ninterest /usr/share/hello\nactivate-noawait ldconfig\n",
    "md5sums": b"0 usr/bin/hello\n",
}


def _deb(**fields: str) -> Deb:
    return deb(name="hello", version="1:2.0-1", files=FILES, control_files=CONTROL, **fields)


@pytest.mark.parametrize("compression", ["xz", "gz", "zst", ""])
def test_what_a_package_says_and_holds(compression: str) -> None:
    made = _deb(compression=compression)
    source = BytesSource(made.data)
    opened = open_deb(source)
    assert opened.control.name == "hello"
    assert str(opened.control.version) == "1:2.0-1"
    assert opened.control.architecture == "all"
    assert dict(opened.control.fields) == made.fields
    assert opened.control.text == paragraph(made.fields)
    assert {name: file.content for name, file in opened.control.files.items()} == CONTROL
    assert opened.control.files["postinst"].mode == 0o755
    assert opened.control.files["md5sums"].mode == 0o644
    assert opened.control.conffiles == (guest_path("etc/hello.conf"),)
    assert opened.data.suffix == (f".{compression}" if compression else "")
    assert b"".join(opened.data.chunks(source)) == tar(FILES)


def test_conffiles_that_are_to_be_removed_are_none() -> None:
    text = b"/etc/a\nremove-on-upgrade /etc/b\n\n/etc/c\n"
    made = deb(name="x", control_files={"conffiles": text})
    found = open_deb(BytesSource(made.data)).control.conffiles
    assert found == (guest_path("etc/a"), guest_path("etc/c"))


CONTROL_TAR = tar({"control": paragraph(_deb().fields)})
GOOD = [
    ("debian-binary", b"2.0\n"),
    ("control.tar", CONTROL_TAR),
    ("data.tar", tar(FILES)),
]


def test_members_of_the_future_are_skipped() -> None:
    """deb(5): names that begin with an underscore, and whatever follows the data."""
    parts = [GOOD[0], ("_gpg", b"x"), *GOOD[1:], ("something", b"y")]
    assert open_deb(BytesSource(ar(parts))).control.name == "hello"


BAD = {
    "nothing": ([], "not a Debian package: it holds nothing"),
    "only a version": (GOOD[:1], "not a Debian package"),
    "no data": (GOOD[:2], "not a Debian package"),
    "another order": ([GOOD[0], GOOD[2], GOOD[1]], "data.tar where control.tar should be"),
    "the version last": ([*GOOD[1:], GOOD[0]], "not a Debian package"),
    "a format of the future": ([("debian-binary", b"3.0\n"), *GOOD[1:]], "format nobody knows"),
    "an unknown compression": (
        [GOOD[0], ("control.tar.rar", b""), GOOD[2]],
        "control.tar.rar where control.tar should be",
    ),
    "no control file": ([GOOD[0], ("control.tar", tar({})), GOOD[2]], "no control file"),
    "a control file without a name": (
        [GOOD[0], ("control.tar", tar({"control": b"Version: 1\nArchitecture: all\n"})), GOOD[2]],
        "no field Package",
    ),
    "a version that is none": (
        [
            GOOD[0],
            (
                "control.tar",
                tar({"control": b"Package: x\nVersion: ~~ ~\nArchitecture: all\n"}),
            ),
            GOOD[2],
        ],
        "not a Debian version",
    ),
    "two control paragraphs": (
        [GOOD[0], ("control.tar", tar({"control": b"A: 1\n\nB: 2\n"})), GOOD[2]],
        "expected one paragraph",
    ),
    "damaged control data": (
        [GOOD[0], ("control.tar.xz", compress(CONTROL_TAR, "xz")[:-9]), GOOD[2]],
        "cut off|damaged",
    ),
    "a control archive that is none": (
        [GOOD[0], ("control.tar", b"x" * 1024), GOOD[2]],
        "checksum|header|tar",
    ),
}


@pytest.mark.parametrize(("parts", "message"), BAD.values(), ids=BAD)
def test_what_is_no_package(parts: list[tuple[str, bytes]], message: str) -> None:
    with pytest.raises(ArchiveError, match=re.compile(message)):
        open_deb(BytesSource(ar(parts)))


def test_a_package_cut_off_anywhere() -> None:
    data = _deb().data
    for size in (*range(0, 300, 13), len(data) // 2, len(data) - 2):
        with pytest.raises(ArchiveError):
            list(_read(data[:size]))


def _read(data: bytes) -> bytes:
    source = BytesSource(data)
    return b"".join(open_deb(source).data.chunks(source))


@pytest.mark.parametrize(
    "wrong", [{"name": "other"}, {"version": "2.0-1"}, {"architecture": "amd64"}]
)
def test_another_package_than_was_asked_for(wrong: dict[str, str]) -> None:
    control = open_deb(BytesSource(_deb().data)).control
    right = {"name": "hello", "version": "1:2.0-1", "architecture": "all"}
    check_identity(control, **right)
    with pytest.raises(ArchiveError, match="says of itself that it is hello 1:2"):
        check_identity(control, **{**right, **wrong})


@pytest.mark.judge
@pytest.mark.parametrize("compression", ["xz", "gzip", "zstd", "none"])
def test_what_dpkg_deb_builds(tmp_path: Path, compression: str) -> None:
    root = tmp_path / "root"
    for name, content in {**FILES, "DEBIAN/postinst": CONTROL["postinst"]}.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755)
    fields = {**_deb().fields, "Architecture": "amd64"}
    (root / "DEBIAN" / "control").write_bytes(paragraph(fields))
    package = tmp_path / "x.deb"
    said = judge("dpkg-deb", f"-Z{compression}", "--root-owner-group", "--build", root, package)
    assert "building package" in said
    data = package.read_bytes()
    control = open_deb(BytesSource(data)).control
    assert (control.name, control.architecture) == ("hello", "amd64")
    assert control.files["postinst"].content == CONTROL["postinst"]
    listed = judge("dpkg-deb", "--fsys-tarfile", package)
    assert FILES["/etc/hello.conf"].decode() in listed
    assert FILES["/etc/hello.conf"] in _read(data)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def _chosen(made: Deb, store: Store) -> ChosenDeb:
    kept = store.add_blob([made.data])
    return ChosenDeb(
        name=made.name,
        version=made.fields["Version"],
        architecture=made.fields["Architecture"],
        digest=kept.digest,
        size_bytes=kept.size_bytes,
    )


def test_packages_are_opened_in_their_order(store: Store) -> None:
    made = [deb(name=f"p{n}", files={f"/opt/{n}": b"x" * n}) for n in range(12)]
    opened = unpack_debs([_chosen(one, store) for one in made], store=store)
    assert [one.control.name for one in opened] == [one.name for one in made]
    for number, one in enumerate(opened):
        entry = dict(one.data.members)[guest_path(f"opt/{number}")]
        assert isinstance(entry, RegularFile)
        assert read_content(entry.content, blobs=store) == b"x" * number


def test_data_is_decompressed_once(store: Store) -> None:
    chosen = _chosen(_deb(), store)
    (first,) = unpack_debs([chosen], store=store)
    kept = store.derived(DATA_KIND, chosen.digest)
    assert kept is not None
    assert kept.digest == Digest.sha256(hashlib.sha256(tar(FILES)).hexdigest())
    # Another answer in the cache is believed: nothing is decompressed again.
    other = store.add_blob([tar({"/other": b"x"})])
    store.record_derived(DATA_KIND, chosen.digest, other)
    (second,) = unpack_debs([chosen], store=store)
    assert first.data != second.data
    assert guest_path("other") in dict(second.data.members)


@pytest.mark.parametrize("cut", [1, 500])
def test_a_package_with_damaged_data_names_itself(store: Store, cut: int) -> None:
    packed = compress(tar(FILES), "xz")
    damaged = packed[:-cut] if cut < len(packed) else b""
    made = deb_from_parts(_deb().fields, [GOOD[0], GOOD[1], ("data.tar.xz", damaged)])
    chosen = _chosen(made, store)
    with pytest.raises(ArchiveError, match=r"the package hello 1:2\.0-1: ") as caught:
        unpack_debs([chosen], store=store)
    assert caught.value.member == "hello"
    assert store.derived(DATA_KIND, chosen.digest) is None


def test_a_package_whose_bytes_are_others_is_never_opened(store: Store) -> None:
    """The store checks the digest of what it takes in."""
    made = _deb()
    promised = Descriptor(digest=Digest.of(b"other"), size_bytes=len(made.data))
    with pytest.raises(IntegrityError):
        store.add_blob([made.data], expected=promised)
