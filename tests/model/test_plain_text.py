from __future__ import annotations

import pytest

from bootsmith.model.plain_text import TextOfStream, plain_text

CASES = {
    "plain": ("text, käse\n\tmore\xa0", "text, käse\n\tmore\xa0"),
    "colour": ("\x1b[1;31mred\x1b[0m", "red"),
    "cursor": ("a\x1b[2J\x1b[H\x1b[?25lb", "ab"),
    "title": ("a\x1b]0;title\x07b\x1b]2;other\x1b\\c", "abc"),
    "clipboard": ("\x1b]52;c;ZXZpbA==\x07", ""),
    "device control": ("\x1bPq...\x1b\\x", "x"),
    "eight bits": ("\x9b2Ja\x9d0;title\x9cb", "ab"),
    "charset": ("\x1b(0x\x1bc", "x"),
    "string without end": ("\x1b]0;title", "0;title"),
    "escape at the end": ("a\x1b", "a\ufffd"),
    "overwriting": ("good\rbad\x08\x08", "goodbad"),
    "reversed": ("a\u202egpj.exe", "a\ufffdgpj.exe"),
    "surrogate": ("a\udcffb", "a\ufffdb"),
    "built of what is removed": ("\x1b\x1b[m[2J", "\ufffd[2J"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_shown(name: str) -> None:
    text, shown = CASES[name]
    assert plain_text(text) == shown
    assert "\x1b" not in plain_text(text)


def test_pieces_of_a_stream() -> None:
    stream = TextOfStream()
    shown = b"".join(stream.feed(bytes((one,))) for one in b"\x1b[31ma\xc3\xa4\r\n\x1b]0;t\x07b")
    assert shown + stream.rest() == "aä\nb".encode()
    assert stream.feed(b"x" * 70_000)
