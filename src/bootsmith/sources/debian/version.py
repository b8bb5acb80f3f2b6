"""Debian version numbers and their order (deb-version(7)).

``[epoch:]upstream[-revision]``; the parts are compared as alternating runs of non-digits and
digits, where ``~`` sorts before the end and letters before everything else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from bootsmith.errors import ImageError

_PartKey: TypeAlias = "tuple[tuple[int, ...] | int, ...]"
_SortKey: TypeAlias = "tuple[int, _PartKey, _PartKey]"

_SHAPE = re.compile(
    r"(?:(?P<epoch>[0-9]+):)?(?P<upstream>[A-Za-z0-9][A-Za-z0-9.+:~-]*?)"
    r"(?:-(?P<revision>[A-Za-z0-9.+~]+)|(?<!-))"
)
_RUNS = re.compile(r"([^0-9]*)([0-9]*)")
_END = 0  # sorts after "~" and before every other character
_MAX_EPOCH = 2**31 - 1


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version in dpkg's order.  ``1.0`` and ``1.00`` are equal, and hash alike."""

    key: _SortKey = field(repr=False)
    text: str = field(compare=False)

    @classmethod
    def parse(cls, text: str) -> Version:
        """The version written as ``text``.  Raises ``ImageError`` when it is none."""
        return _parse(text)

    def __str__(self) -> str:
        return self.text


@lru_cache(maxsize=1 << 15)
def _parse(text: str) -> Version:
    shape = _SHAPE.fullmatch(text)
    if shape is None or (":" in shape["upstream"] and shape["epoch"] is None):
        raise ImageError(f"not a Debian version: {text!r}")
    epoch = int(shape["epoch"] or 0)
    if epoch > _MAX_EPOCH:
        raise ImageError(f"the epoch of a Debian version is too large: {text!r}")
    return Version((epoch, _part_key(shape["upstream"]), _part_key(shape["revision"] or "0")), text)


def _part_key(part: str) -> _PartKey:
    """Runs of non-digits and digits, so that comparing the tuples compares the parts.

    A part that ends earlier meets the ``_END`` of its last, empty run: before that stands only
    ``~``.
    """
    key: list[tuple[int, ...] | int] = []
    for other, digits in _RUNS.findall(part):
        key.append((*map(_character_order, other), _END))
        key.append(int(digits or 0))
    return tuple(key)


def _character_order(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256
