"""The part of CBOR (RFC 8949) that the guest agent speaks, written plainly and read strictly.

Integers, byte strings, text, arrays, maps with text keys, booleans and null, all of definite
length and nested at most 64 deep.  A general decoder would turn a hostile guest's tags into
dates, fractions and regular expressions; this one has no such doors.  (A general encoder would
cost every start the import of the modules for all these.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from bootsmith.errors import AgentError

Value: TypeAlias = "int | bytes | str | bool | list[Value] | dict[str, Value] | None"

MAX_DEPTH = 64
# Far beyond any message.  A frame full of empty arrays would take a hundred times its size.
MAX_ITEMS = 1 << 17

_SHOWN = 40  # characters of what a guest says, in an error
_CONSTANTS: dict[bool | None, bytes] = {False: b"\xf4", True: b"\xf5", None: b"\xf6"}
_SIMPLE: dict[int, bool | None] = {20: False, 21: True, 22: None}


def encode(value: Value | Mapping[str, Value]) -> bytes:
    """The bytes of ``value``, each head as short as it can be."""
    parts: list[bytes] = []
    _append(parts, value)
    return b"".join(parts)


def _append(parts: list[bytes], value: Value | Mapping[str, Value] | Sequence[Value]) -> None:
    if value is None or isinstance(value, bool):
        parts.append(_CONSTANTS[value])
    elif isinstance(value, int):
        parts.append(_head(0, value) if value >= 0 else _head(1, -1 - value))
    elif isinstance(value, bytes):
        parts += (_head(2, len(value)), value)
    elif isinstance(value, str):
        text = value.encode()
        parts += (_head(3, len(text)), text)
    elif isinstance(value, Mapping):
        parts.append(_head(5, len(value)))
        for key, item in value.items():
            _append(parts, key)
            _append(parts, item)
    else:
        parts.append(_head(4, len(value)))
        for item in value:
            _append(parts, item)


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes((major << 5 | number,))
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << 8 * size:
            return bytes((major << 5 | info,)) + number.to_bytes(size, "big")
    raise OverflowError(f"{number} is too large for CBOR")


def decode(data: bytes | memoryview) -> Value:
    """The one value that ``data`` holds.

    Raises ``AgentError`` for anything else: bytes missing or left over, another type, a
    doubled key, text that is not UTF-8.
    """
    view = memoryview(data)
    try:
        value, end = _Reader(view).value(0, 0)
    except IndexError:
        raise _malformed("it ends too early") from None
    if end != len(view):
        raise _malformed(f"{len(view) - end} bytes are left over")
    return value


class _Reader:
    """Reads values; each method tells where what it has read ends."""

    __slots__ = ("_items_left", "_view")

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._items_left = MAX_ITEMS

    def value(self, at: int, depth: int) -> tuple[Value, int]:
        if depth > MAX_DEPTH:
            raise _malformed(f"it nests deeper than {MAX_DEPTH}")
        initial = self._view[at]
        major, info = initial >> 5, initial & 31
        if major == 7:
            if info not in _SIMPLE:
                raise _malformed(f"simple value or float {info}")
            return _SIMPLE[info], at + 1
        number, at = self._argument(at + 1, info)
        match major:
            case 0:
                return number, at
            case 1:
                return -1 - number, at
            case 2:
                return bytes(self._slice(at, number)), at + number
            case 3:
                return self._text(at, number), at + number
            case 4:
                return self._array(at, number, depth)
            case 5:
                return self._map(at, number, depth)
            case _:
                raise _malformed(f"tag {number}")

    def _argument(self, at: int, info: int) -> tuple[int, int]:
        if info < 24:
            return info, at
        if info > 27:
            raise _malformed("an indefinite length")
        size = 1 << (info - 24)
        return int.from_bytes(self._slice(at, size), "big"), at + size

    def _slice(self, at: int, size: int) -> memoryview:
        if size > len(self._view) - at:
            raise IndexError
        return self._view[at : at + size]

    def _text(self, at: int, size: int) -> str:
        try:
            return str(self._slice(at, size), "utf-8")
        except UnicodeDecodeError:
            raise _malformed("text that is not UTF-8") from None

    def _array(self, at: int, count: int, depth: int) -> tuple[Value, int]:
        self._count(count)
        items: list[Value] = []
        for _ in range(count):
            item, at = self.value(at, depth + 1)
            items.append(item)
        return items, at

    def _map(self, at: int, count: int, depth: int) -> tuple[Value, int]:
        self._count(count)
        items: dict[str, Value] = {}
        for _ in range(count):
            key, at = self.value(at, depth + 1)
            if not isinstance(key, str):
                raise _malformed("a key that is no text")
            if key in items:
                raise _malformed(f"the key {key[:_SHOWN]!r} twice")
            items[key], at = self.value(at, depth + 1)
        return items, at

    def _count(self, items: int) -> None:
        self._items_left -= items
        if self._items_left < 0:
            raise _malformed(f"it has more than {MAX_ITEMS} items, or ends too early")


def _malformed(why: str) -> AgentError:
    return AgentError(f"the guest sent malformed CBOR: {why}")
