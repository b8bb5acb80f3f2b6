import pytest

from bootsmith.errors import ArchiveError
from bootsmith.sources.debian.control import parse_paragraph, parse_paragraphs

GOOD = {
    "one field": (b"A: 1\n", [{"A": "1"}]),
    "no line feed at the end": (b"A: 1", [{"A": "1"}]),
    "two paragraphs": (b"A: 1\n\nA: 2\n", [{"A": "1"}, {"A": "2"}]),
    "many blank lines": (b"\n\nA: 1\n\n \t\n\nB: 2\n\n", [{"A": "1"}, {"B": "2"}]),
    "continuation": (b"D: short\n long\n .\n  more\n", [{"D": "short\nlong\n.\n more"}]),
    "continuation by tab": (b"D:\n\tx\n", [{"D": "\nx"}]),
    "comment": (b"# hello\nA: 1\n# between\nB: 2\n", [{"A": "1", "B": "2"}]),
    "blanks around a value": (b"A:  1 \t\n", [{"A": "1"}]),
    "empty value": (b"A:\nB: 2\n", [{"A": "", "B": "2"}]),
    "colon in a value": (b"Version: 1:2\n", [{"Version": "1:2"}]),
    "carriage returns": (b"A: 1\r\nB: 2\r\n", [{"A": "1", "B": "2"}]),
    "not UTF-8": (b"A: \xff\n", [{"A": "\udcff"}]),
    "nothing": (b"", []),
}
BAD = {
    "no colon": (b"A: 1\nnonsense\n", 5),
    "no name": (b": 1\n", 0),
    "blank in a name": (b"A B: 1\n", 0),
    "continuation of nothing": (b" x\n", 0),
    "field twice": (b"A: 1\nB: 2\nA: 3\n", 10),
    "field twice in another case": (b"Depends: a\ndepends: b\n", 11),
    "name with a dash first": (b"-A: 1\n", 0),
}


@pytest.mark.parametrize(("data", "expected"), GOOD.values(), ids=GOOD)
def test_paragraphs(data: bytes, expected: list[dict[str, str]]) -> None:
    assert [dict(one) for one in parse_paragraphs(data)] == expected


@pytest.mark.parametrize(("data", "offset"), BAD.values(), ids=BAD)
def test_malformed(data: bytes, offset: int) -> None:
    with pytest.raises(ArchiveError, match="malformed control data") as caught:
        list(parse_paragraphs(data))
    assert caught.value.offset == offset


def test_names_are_found_in_any_case_and_keep_theirs() -> None:
    fields = parse_paragraph(b"Pre-Depends: a\nx-y: b\n")
    assert fields["pre-depends"] == fields["PRE-DEPENDS"] == "a"
    assert "X-Y" in fields
    assert "absent" not in fields
    assert list(fields) == ["Pre-Depends", "x-y"]


@pytest.mark.parametrize("data", [b"", b"A: 1\n\nA: 2\n"])
def test_exactly_one_paragraph(data: bytes) -> None:
    with pytest.raises(ArchiveError, match="one paragraph"):
        parse_paragraph(data)
