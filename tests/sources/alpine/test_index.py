"""Indexes taken apart, and packages as they describe them."""

from __future__ import annotations

import pytest

from bootsmith.errors import ArchiveError
from bootsmith.model.digest import Digest
from bootsmith.sources.alpine.index import PackageIndex, make_index
from bootsmith.sources.alpine.package import ApkPackage, parse_identity, show_identity
from tests.support.alpine_repository import apk, index

TEXT = index(
    [
        apk(name="b", version="2-r0", provides="so:b.so.1=2 virtual", depends="a"),
        apk(name="a", version="1-r0", provides="virtual=3"),
        apk(name="a", version="2-r0"),
        apk(name="a-doc", install_if="docs a=1-r0 !c"),
    ]
)


def test_names_lead_to_paragraphs() -> None:
    found = PackageIndex(make_index(TEXT))
    assert list(found.names()) == ["a", "a", "a-doc", "b"]
    assert [found.paragraph(place).split("\n")[1] for place in found.providing("virtual")] == [
        "P:b",
        "P:a",
    ]
    assert len(found.providing("a")) == 2
    assert found.providing("nowhere") == []
    for name in ("docs", "a", "c"):
        (place,) = found.waiting_for(name)
        assert "P:a-doc" in found.paragraph(place)


def test_an_empty_index() -> None:
    assert list(PackageIndex(make_index(b"")).names()) == []


def test_the_same_file_gives_the_same_index() -> None:
    assert make_index(TEXT) == make_index(bytes(TEXT))


def test_a_paragraph_without_a_name() -> None:
    with pytest.raises(ArchiveError, match="names no package"):
        make_index(b"V:1\n\n")


@pytest.mark.parametrize("damage", [b"", b"something", make_index(TEXT)[:60]])
def test_damage_is_noticed(damage: bytes) -> None:
    with pytest.raises(ArchiveError):
        PackageIndex(damage)


def test_a_package() -> None:
    made = apk(name="x", version="1.2-r3", depends="y>1 !z", provides="cmd:x=1", priority=7)
    found = ApkPackage.from_paragraph(_paragraph(made.fields), where="here")
    assert (found.name, str(found.version), found.filename) == (
        "x",
        "1.2-r3",
        "x86_64/x-1.2-r3.apk",
    )
    assert [str(one) for one in found.depends] == ["y>1", "!z"]
    assert found.provider_priority == 7
    assert show_identity(found.identity) == made.fields["C"]
    assert found.is_installable


def test_a_capital_letter_nobody_knows_keeps_a_package_out() -> None:
    fields = {**apk(name="x").fields, "X": "new"}
    assert not ApkPackage.from_paragraph(_paragraph(fields), where="here").is_installable


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"P": "../x"}, "not a package name"),
        ({"P": "a/b"}, "not a package name"),
        ({"V": "one"}, "not an Alpine version"),
        ({"A": "../.."}, "not an architecture"),
        ({"S": "-1"}, "not a number"),
        ({"C": "Q1!!"}, "not a checksum"),
        ({"C": "Q2AAAA"}, "kind"),
        ({"D": "a><b"}, "checksum"),
        ({"D": "a=oops"}, "not an Alpine version"),
    ],
)
def test_a_malformed_package(change: dict[str, str], what: str) -> None:
    fields = {**apk(name="x").fields, **change}
    with pytest.raises(ArchiveError, match=what) as caught:
        ApkPackage.from_paragraph(_paragraph(fields), where="the repository")
    assert "the repository" in str(caught.value)


def test_a_missing_field() -> None:
    with pytest.raises(ArchiveError, match="no field V"):
        ApkPackage.from_paragraph("P:x", where="here")


def test_identities() -> None:
    digest = Digest("sha1", "00" * 20)
    assert parse_identity(show_identity(digest)) == digest


def _paragraph(fields: object) -> str:
    assert isinstance(fields, dict)
    return "\n".join(f"{letter}:{value}" for letter, value in fields.items())
