"""What the solver has to bring about, and what it has chosen to do so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from bootsmith.sources.debian.package import DebianPackage
from bootsmith.sources.debian.relation import Clause, show_clause


class Wanted(NamedTuple):
    """The package ``name`` itself is to be chosen, because of ``why`` (the start of a sentence
    that ends in the name: "you asked for")."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.why} {self.name}"


class Needed(NamedTuple):
    """A clause of ``owner`` is to be met.  One that ``may_fail`` is only a recommendation."""

    owner: DebianPackage
    verb: str
    clause: Clause
    may_fail: bool = False

    def __str__(self) -> str:
        return f"{self.owner} {self.verb} {show_clause(self.clause)}"


class Expand(NamedTuple):
    """The clauses of the chosen package ``name`` are to be taken up."""

    name: str


Goal: TypeAlias = Wanted | Needed | Expand


class Chosen(NamedTuple):
    """A package in the solution so far; ``levels`` are the choices that led to it."""

    package: DebianPackage
    goal: Wanted | Needed
    levels: frozenset[int]


def chain_to(goal: Wanted | Needed, chosen: Mapping[str, Chosen]) -> tuple[str, ...]:
    """The goals that led to ``goal``, the user's own words first and ``goal`` last."""
    chain = [str(goal)]
    while isinstance(goal, Needed):
        goal = chosen[goal.owner.name].goal
        chain.append(str(goal))
    return tuple(reversed(chain))
