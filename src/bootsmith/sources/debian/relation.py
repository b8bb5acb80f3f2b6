"""Dependency fields: what one package says about others (Debian Policy 7.1, deb-control(5)).

A field is a list of *clauses* parted by commas; all must hold.  A clause is a list of
alternatives parted by ``|``; one must hold.  In ``Conflicts``, ``Breaks``, ``Provides`` and
``Replaces`` every clause has one alternative.
"""

from __future__ import annotations

import operator as compare
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from bootsmith.errors import ImageError
from bootsmith.sources.debian.version import Version

_RELATION = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9+.-]*)"
    r"(?::(?P<qualifier>[a-z0-9-]+))?"
    r"\s*(?:\(\s*(?P<operator><<|<=|=|>=|>>|<|>)\s*(?P<version>[^\s)]+)\s*\))?"
    # Restrictions to architectures and build profiles, which are for source packages.
    r"\s*(?:\[[^\]]*\])?\s*(?:<[^>]*>\s*)*"
)
# A single < or > means "or equal", as it did before 1996 and as dpkg still reads it.
_OPERATORS: dict[str, Callable[[Version, Version], bool]] = {
    "<<": compare.lt,
    "<": compare.le,
    "<=": compare.le,
    "=": compare.eq,
    ">=": compare.ge,
    ">": compare.ge,
    ">>": compare.gt,
}


class Relation(NamedTuple):
    """One alternative: ``name[:qualifier] [(operator version)]``.

    ``operator`` is empty when any version will do.
    """

    name: str
    qualifier: str = ""
    operator: str = ""
    version: Version | None = None

    def admits(self, version: Version | None) -> bool:
        """Whether a package, or a provided name, of this version is meant.

        ``None`` is a name provided without a version, which meets no bound (Policy 7.5).
        """
        if self.version is None:
            return True
        return version is not None and _OPERATORS[self.operator](version, self.version)

    def __str__(self) -> str:
        text = f"{self.name}:{self.qualifier}" if self.qualifier else self.name
        if self.version is not None:
            text += f" ({self.operator} {self.version})"
        return text


Clause: TypeAlias = tuple[Relation, ...]


def show_clause(clause: Clause) -> str:
    """A clause as a control file writes it."""
    return " | ".join(map(str, clause))


def parse_clauses(text: str) -> tuple[Clause, ...]:
    """The clauses of a dependency field.  Raises ``ImageError`` for text that is none."""
    return tuple(_parse_clause(part.strip()) for part in text.split(",") if part.strip())


def parse_relations(text: str) -> tuple[Relation, ...]:
    """The relations of a field without alternatives (``Conflicts``, ``Provides`` …)."""
    clauses = parse_clauses(text)
    for clause in clauses:
        if len(clause) != 1:
            raise ImageError(f"alternatives are not allowed here: {show_clause(clause)!r}")
    return tuple(clause[0] for clause in clauses)


@lru_cache(maxsize=1 << 15)
def _parse_clause(text: str) -> Clause:
    return tuple(_parse_relation(part.strip()) for part in text.split("|"))


def _parse_relation(text: str) -> Relation:
    found = _RELATION.fullmatch(text)
    if found is None:
        raise ImageError(f"not a relation between Debian packages: {text!r}")
    version = found["version"]
    return Relation(
        name=found["name"],
        qualifier=found["qualifier"] or "",
        operator=found["operator"] or "",
        version=Version.parse(version) if version else None,
    )
