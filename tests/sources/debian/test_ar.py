from __future__ import annotations

from pathlib import Path

import pytest

from bootsmith.errors import ArchiveError
from bootsmith.model.streams import BytesSource
from bootsmith.sources.debian.ar import ArMember, read_ar
from tests.support.debian_repository import ar
from tests.support.judges import judge

MEMBERS = [("debian-binary", b"2.0\n"), ("odd", b"123"), ("empty", b""), ("last", b"x" * 100)]


def test_members_and_where_they_are() -> None:
    data = ar(MEMBERS)
    found = list(read_ar(BytesSource(data)))
    assert [member.name for member in found] == [name for name, _ in MEMBERS]
    for member, (_, content) in zip(found, MEMBERS, strict=True):
        assert data[member.offset : member.offset + member.size_bytes] == content


def test_an_archive_without_members() -> None:
    assert list(read_ar(BytesSource(b"!<arch>\n"))) == []


def test_a_last_member_without_its_padding() -> None:
    data = ar([("a", b"odd")])[:-1]
    assert list(read_ar(BytesSource(data))) == [ArMember("a", 68, 3)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an ar archive"),
        (b"!<thin>\n", "not an ar archive"),
        (ar(MEMBERS)[:-1], "1 bytes of last are missing"),
        (ar(MEMBERS)[:40], "damaged header"),
        (ar(MEMBERS).replace(b"`\n", b"``", 1), "damaged header"),
        (ar(MEMBERS).replace(b"4         `", b"-4        `", 1), "damaged header"),
        (ar(MEMBERS).replace(b"4         `", b"          `", 1), "damaged header"),
        (ar(MEMBERS).replace(b"4         `", b"9999999999`", 1), "bytes of debian-binary are"),
    ],
)
def test_damage(data: bytes, message: str) -> None:
    with pytest.raises(ArchiveError, match=message):
        list(read_ar(BytesSource(data)))


@pytest.mark.judge
def test_binutils_makes_what_we_read(tmp_path: Path) -> None:
    for name, content in MEMBERS:
        (tmp_path / name).write_bytes(content)
    archive = tmp_path / "x.a"
    judge("ar", "qc", archive, *(tmp_path / name for name, _ in MEMBERS))
    data = archive.read_bytes()
    found = {m.name: data[m.offset : m.offset + m.size_bytes] for m in read_ar(BytesSource(data))}
    assert found == dict(MEMBERS)
