"""Dependencies as apk writes them (apk-package(5), apk-world(5)).

``[!]name[@tag][operator version]``.  A name may be that of a package or of anything packages
provide: ``so:libz.so.1``, ``cmd:ssh``, ``pc:zlib``, ``/bin/sh``.
"""

from __future__ import annotations

import operator as compare
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

from bootsmith.errors import ImageError
from bootsmith.sources.alpine.apk_version import ApkVersion

_SHAPE = re.compile(
    r"(?P<not>!)?(?P<name>[^\s!@<>=~]+)(?:@(?P<tag>[^\s@<>=~]+))?"
    r"(?:(?P<operator>[<>=~]+)(?P<version>\S+))?"
)
# Every way to write an operator that apk reads, and the one way in which it writes it.
_OPERATORS = {
    "=": "=", "==": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">=",
    "~": "~", "~=": "~", "=~": "~", "<~": "<~", "~<": "<~", ">~": ">~", "~>": ">~",
}  # fmt: skip
_CHECKSUMS = ("><", "<>")
_COMPARISONS: dict[str, Callable[[ApkVersion, ApkVersion], bool]] = {
    "=": compare.eq,
    "<": compare.lt,
    "<=": compare.le,
    ">": compare.gt,
    ">=": compare.ge,
    "~": lambda version, bound: bound.begins(version),
    "<~": lambda version, bound: version < bound or bound.begins(version),
    ">~": lambda version, bound: version > bound or bound.begins(version),
}


class Dependency(NamedTuple):
    """A demand on what stands under ``name``; ``is_conflict`` is the wish that it does not.

    ``operator`` is empty when any version will do.  ``tag`` stands only in a world: the
    repository that the package may come from.
    """

    name: str
    operator: str = ""
    version: ApkVersion | None = None
    is_conflict: bool = False
    tag: str | None = None

    def is_met_by(self, provided: ApkVersion | None) -> bool:
        """Whether a package may be there that provides ``name`` in this version.

        ``None`` is a name provided without a version, which meets no bound.
        """
        return self._names(provided) != self.is_conflict

    def _names(self, provided: ApkVersion | None) -> bool:
        if self.version is None:
            return True
        return provided is not None and _COMPARISONS[self.operator](provided, self.version)

    def __str__(self) -> str:
        tag = f"@{self.tag}" if self.tag else ""
        bound = f"{self.operator}{self.version}" if self.version else ""
        return f"{'!' if self.is_conflict else ''}{self.name}{tag}{bound}"


class Provided(NamedTuple):
    """A name a package provides besides its own.

    Without a version it is a virtual one: several packages may provide it side by side.
    """

    name: str
    version: ApkVersion | None = None

    def __str__(self) -> str:
        return f"{self.name}={self.version}" if self.version else self.name


@lru_cache(maxsize=1 << 16)
def parse_dependency(text: str) -> Dependency:
    """The dependency written as ``text``.  Raises ``ImageError`` when it is none."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ImageError(f"not an Alpine dependency: {text!r}")
    operator, version = "", None
    if found["operator"]:
        if found["operator"] in _CHECKSUMS:
            raise ImageError(f"a dependency on the checksum of a package: {text!r}")
        if found["operator"] not in _OPERATORS:
            raise ImageError(f"not a comparison of versions: {text!r}")
        operator = _OPERATORS[found["operator"]]
        version = ApkVersion.parse(found["version"])
    return Dependency(found["name"], operator, version, found["not"] is not None, found["tag"])


def parse_dependencies(text: str) -> tuple[Dependency, ...]:
    """The dependencies of a field.  Raises ``ImageError`` for text that is none."""
    return tuple(map(parse_dependency, text.split()))


def parse_provides(text: str) -> tuple[Provided, ...]:
    """The names in a ``provides`` field.

    One whose version cannot be read provides nothing, as with apk: whoever needs it is told
    that it does not exist, instead of getting a version that was never compared.
    """
    return tuple(_readable(text.split()))


def _readable(words: Iterable[str]) -> Iterable[Provided]:
    for word in words:
        try:
            found = parse_dependency(word)
        except ImageError:
            continue
        if not found.is_conflict:
            yield Provided(found.name, found.version)
