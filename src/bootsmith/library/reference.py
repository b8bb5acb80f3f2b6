"""What an image is called: names with tags, and build ids.

The rules are those of Gondolin's image store, so that either program understands the other's
names: a name is segments parted by slashes, a tag follows after the last colon, and both
become folders.  One rule is ours: nothing is called like an architecture, because the last
part of a reference's path is one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bootsmith.errors import ImageError
from bootsmith.model.arch import Arch

DEFAULT_TAG = "latest"
PREFIX_LEAST = 4
"""How many characters of a build id may stand for all of it, at least."""

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_BUILD_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_BUILD_ID_PREFIX = re.compile(rf"[0-9a-f][0-9a-f-]{{{PREFIX_LEAST - 1},}}")
_ARCHES = frozenset(arch.value for arch in Arch)
_LONGEST = 255  # NAME_MAX: each part is the name of a folder


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """A name and a tag, as in ``tools/python:3.11``."""

    name: str
    tag: str = DEFAULT_TAG

    def __post_init__(self) -> None:
        for segment in self.name.split("/"):
            _check("name", segment, self)
        _check("tag", self.tag, self)

    @classmethod
    def parse(cls, text: str) -> Reference:
        """``NAME`` or ``NAME:TAG``.  Raises ``ImageError`` for what cannot be one."""
        name, colon, tag = text.rpartition(":")
        return cls(name, tag) if colon else cls(text)

    def __str__(self) -> str:
        return f"{self.name}:{self.tag}"


def parse_or_none(text: str) -> Reference | None:
    """The reference that ``text`` may be, or ``None`` when it cannot be one."""
    try:
        return Reference.parse(text)
    except ImageError:
        return None


def is_build_id(text: str) -> bool:
    return _BUILD_ID.fullmatch(text) is not None


def is_build_id_prefix(text: str) -> bool:
    """Whether ``text`` may stand for a build id that begins with it."""
    return _BUILD_ID_PREFIX.fullmatch(text) is not None


def _check(what: str, text: str, reference: Reference) -> None:
    if not _SEGMENT.fullmatch(text) or len(text) > _LONGEST:
        raise ImageError(
            f"{str(reference)!r} is no image name: the {what} part {text!r} is not allowed",
            hint="letters, digits and . _ - are; names have / between their parts; "
            "no part is empty or begins with a sign",
        )
    if text in _ARCHES:
        raise ImageError(
            f"{str(reference)!r} is no image name: {text} is an architecture",
            hint="leave it out: a name holds one image for each architecture anyway",
        )
