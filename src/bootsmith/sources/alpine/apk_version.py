"""Alpine version numbers and their order (apk-package(5), "PACKAGE VERSION").

``1.2.3b_rc4_git20240101-r5``: numbers parted by dots, perhaps a letter, any number of suffixes
with or without a number of their own, and the build's revision.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from bootsmith.errors import ImageError

_Part: TypeAlias = tuple[int, int]
"""A part of a version: the rank of its kind, and its value within the kind."""

# Where two versions part, the kind of what follows decides before its value does.  The end of a
# version sorts below everything that may follow but a suffix that announces a release.
_NUMBER, _AFTER_ZEROS, _LETTER, _SUFFIX, _SUFFIX_NUMBER, _REVISION = range(6, 0, -1)
_END: _Part = (0, 0)
_PRE_RELEASE = -1

_PRE_SUFFIXES = ("alpha", "beta", "pre", "rc")
_POST_SUFFIXES = ("cvs", "svn", "git", "hg", "p")
_SUFFIXES = {
    **{name: (_PRE_RELEASE, order) for order, name in enumerate(_PRE_SUFFIXES)},
    **{name: (_SUFFIX, order) for order, name in enumerate(_POST_SUFFIXES)},
}

_SHAPE = re.compile(
    r"(?P<numbers>[0-9]+(?:\.[0-9]+)*)(?P<letter>[a-z](?P<more>[0-9]+(?:\.[0-9]+)*)?)?"
    rf"(?P<suffixes>(?:_(?:{'|'.join(_SUFFIXES)})[0-9]*)*)(?:-r(?P<revision>[0-9]+))?"
)
_SUFFIX_SHAPE = re.compile(r"_([a-z]+)([0-9]*)")
_MOST_DIGITS = 17  # apk keeps a number in 64 bits, and refuses more


@dataclass(frozen=True, slots=True, order=True)
class ApkVersion:
    """A version in apk's order.  ``1.0`` and ``1.00`` differ; ``1.2-r1`` and ``1.2-r01`` do not."""

    key: tuple[_Part, ...] = field(repr=False)
    text: str = field(compare=False)

    @classmethod
    def parse(cls, text: str) -> ApkVersion:
        """The version written as ``text``.  Raises ``ImageError`` when it is none."""
        return _parse(text)

    def begins(self, other: ApkVersion) -> bool:
        """Whether ``other`` is this version with nothing or something after it: what ``~`` asks.

        ``1.2`` begins ``1.2.7-r0`` and ``1.2_rc1``, not ``1.20``.  (apk 2 also takes ``1.2`` for
        ``~1.2.7``; apk 3 does not, and so neither do we.)
        """
        own = self.key[:-1]  # without its end
        return other.key[: len(own)] == own

    def __str__(self) -> str:
        return self.text


@lru_cache(maxsize=1 << 15)
def _parse(text: str) -> ApkVersion:
    shape = _SHAPE.fullmatch(text)
    if shape is None or any(len(number) > _MOST_DIGITS for number in re.findall("[0-9]+", text)):
        raise ImageError(f"not an Alpine version: {text!r}")
    parts = _numbers(shape["numbers"])
    if shape["letter"]:
        parts.append((_LETTER, ord(shape["letter"][0])))
    if shape["more"]:
        first, *others = _numbers(shape["more"])
        parts += [(_AFTER_ZEROS, first[1]), *others]
    for name, number in _SUFFIX_SHAPE.findall(shape["suffixes"]):
        parts.append(_SUFFIXES[name])
        if number:
            parts.append((_SUFFIX_NUMBER, int(number)))
    if shape["revision"] is not None:
        parts.append((_REVISION, int(shape["revision"])))
    return ApkVersion((*parts, _END), text)


def _numbers(text: str) -> list[_Part]:
    """The numbers of a version.  After the first, one with a leading zero reads as a fraction:
    the more zeros, the less; then the digits count."""
    first, *others = text.split(".")
    parts: list[_Part] = [(_AFTER_ZEROS, int(first))]
    for number in others:
        if number.startswith("0"):
            zeros = len(number) - len(number.lstrip("0"))
            parts += [(_NUMBER, 1 - zeros), (_AFTER_ZEROS, int(number))]
        else:
            parts.append((_NUMBER, int(number)))
    return parts
