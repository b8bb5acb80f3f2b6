"""Text of strangers (guests, packages, mirrors, manifests), fit to be shown at a terminal."""

from __future__ import annotations

import re

# ECMA-48's control sequences and strings, in seven bits and in eight, and other escapes.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[P\]X^_]|[\x90\x9d\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
_NOISE = re.compile(r"[\0\x07\x08\r]")
_LINE_MOST_BYTES = 1 << 16
_HARMLESS = frozenset("\n\t\xa0")


def plain_text(text: str) -> str:
    """``text`` without what would move a cursor, colour, rename a window or reverse a line.

    Sequences that terminals know are removed; every other character that cannot be seen, but
    for line ends and tabs, becomes U+FFFD.
    """
    rest = _NOISE.sub("", _SEQUENCE.sub("", text))
    if rest.isprintable():
        return rest
    return "".join(one if one.isprintable() or one in _HARMLESS else "\ufffd" for one in rest)


class TextOfStream:
    """``plain_text`` of bytes that come in pieces: whole lines, or what is long enough."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> bytes:
        """What can be shown by now."""
        self._pending += data
        end = self._pending.rfind(b"\n") + 1
        if not end and len(self._pending) > _LINE_MOST_BYTES:
            end = len(self._pending)
        whole, self._pending = self._pending[:end], self._pending[end:]
        return _shown(whole)

    def rest(self) -> bytes:
        """The last line, which has no end."""
        return _shown(self._pending)


def _shown(data: bytes) -> bytes:
    return plain_text(data.decode("utf-8", "replace")).encode()
