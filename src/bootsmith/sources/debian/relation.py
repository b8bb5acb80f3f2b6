"""Dependency fields: what one package says about others (Debian Policy 7.1, deb-control(5)).

A field is a list of *clauses* parted by commas; all must hold.  A clause is a list of
alternatives parted by ``|``; one must hold.  In ``Conflicts``, ``Breaks``, ``Provides`` and
``Replaces`` every clause has one alternative.
"""

from __future__ import annotations

import operator as compare
import re
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from bootsmith.errors import ImageError
from bootsmith.sources.debian.version import Version

_RELATION = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9+.-]*)"
    r"(?::(?P<qualifier>[a-z0-9-]+))?"
    r"\s*(?:\(\s*(?P<operator><<|<=|=|>=|>>|<|>)\s*(?P<version>[^\s)]+)\s*\))?"
    r"\s*(?:\[(?P<architectures>[^\]]*)\])?"
    r"\s*(?P<profiles>(?:<[^>]*>\s*)*)"
)
_PROFILE_LIST = re.compile(r"<([^>]*)>")
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
    """One alternative: ``name[:qualifier] [(operator version)] [architectures] [profiles]``.

    ``operator`` is empty when any version will do.  ``architectures`` and ``profiles`` restrict
    where the relation counts at all (``!`` negates); both are empty in nearly every binary
    package.
    """

    name: str
    qualifier: str = ""
    operator: str = ""
    version: Version | None = None
    architectures: tuple[str, ...] = ()
    profiles: tuple[tuple[str, ...], ...] = ()

    def admits(self, version: Version | None) -> bool:
        """Whether a package, or a provided name, of this version is meant.

        ``None`` is a name provided without a version, which meets no bound (Policy 7.5).
        """
        if self.version is None:
            return True
        return version is not None and _OPERATORS[self.operator](version, self.version)

    def counts_for(self, arch: str, profiles: Collection[str] = ()) -> bool:
        """Whether the restrictions let this relation count on ``arch`` (dpkg's name)."""
        return self._architecture_counts(arch) and self._profiles_count(profiles)

    def _architecture_counts(self, arch: str) -> bool:
        if not self.architectures:
            return True
        known = {arch, f"linux-{arch}", "linux-any", f"any-{arch}", "any"}
        if self.architectures[0].startswith("!"):
            return not any(name.removeprefix("!") in known for name in self.architectures)
        return any(name in known for name in self.architectures)

    def _profiles_count(self, profiles: Collection[str]) -> bool:
        if not self.profiles:
            return True
        return any(
            all((name.removeprefix("!") in profiles) != name.startswith("!") for name in group)
            for group in self.profiles
        )

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
        architectures=tuple((found["architectures"] or "").split()),
        profiles=tuple(tuple(group.split()) for group in _PROFILE_LIST.findall(found["profiles"])),
    )
