from __future__ import annotations

import pytest

from bootsmith.sandbox.output import Lines


def passed_on(*pieces: bytes) -> list[bytes]:
    found: list[bytes] = []
    lines = Lines("x", lambda label, line: found.append(line))
    for piece in pieces:
        lines.add(piece)
    lines.end()
    return found


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ((), []),
        ((b"a\n",), [b"a"]),
        ((b"a",), [b"a"]),
        ((b"a\nb",), [b"a", b"b"]),
        ((b"a", b"b\nc", b"\n"), [b"ab", b"c"]),
        ((b"\n\n",), [b"", b""]),
        ((b"a\r\n",), [b"a\r"]),
        ((b"\xff\xfe\n",), [b"\xff\xfe"]),
    ],
)
def test_lines(pieces: tuple[bytes, ...], expected: list[bytes]) -> None:
    assert passed_on(*pieces) == expected


def test_a_line_without_end_is_cut() -> None:
    found = passed_on(*[b"x" * 50_000] * 10)
    assert b"".join(found) == b"x" * 500_000
    assert max(map(len, found)) <= 115_000


def test_the_tail() -> None:
    lines = Lines("x", lambda *_: None)
    lines.add(b"a" * 10_000 + b"\xff end \n")
    assert lines.tail.endswith("a\N{REPLACEMENT CHARACTER} end")
    assert len(lines.tail) <= 8192
