"""Random worlds of Debian packages, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from bootsmith.sources.debian.package import DebianPackage
from bootsmith.sources.debian.universe import Universe

_LETTERS = "abcdefgh"


@dataclass(frozen=True, slots=True)
class MadeUp:
    """Packages by name, as ``debian_universe.packages_text`` takes them, and what to ask for."""

    packages: dict[str, str]
    requests: tuple[tuple[str, ...], ...]


def made_up_worlds(seed: int, *, count: int, conflicts: float) -> MadeUp:
    """``count`` small worlds side by side, each with a request of its own.

    Each has eight packages with alternatives, a virtual package, priorities, dependencies that
    do not exist, and with the probability ``conflicts`` a conflict.
    """
    dice = random.Random(seed)
    packages: dict[str, str] = {}
    requests = []
    for number in range(count):
        own = [f"w{number}-{letter}" for letter in _LETTERS]
        packages |= {name: _fields(dice, own, f"w{number}-v", conflicts) for name in own}
        requests.append(tuple(sorted(dice.sample(own, dice.choice((1, 1, 2))))))
    return MadeUp(packages, tuple(requests))


def _fields(dice: random.Random, own: Sequence[str], virtual: str, conflicts: float) -> str:
    names = [*own, virtual, own[0] + "-gone"]
    clauses = [
        " | ".join(dice.sample(names, dice.choice((1, 1, 2, 3))))
        for _ in range(dice.choice((0, 0, 1, 2)))
    ]
    fields = [f"Depends: {', '.join(clauses)}"] if clauses else []
    if dice.random() < conflicts:
        fields.append(f"{dice.choice(('Conflicts', 'Breaks'))}: {dice.choice(names)}")
    if dice.random() < 0.25:
        fields.append(f"Provides: {virtual}")
    if dice.random() < 0.2:
        fields.append(f"Priority: {dice.choice(('standard', 'important', 'extra'))}")
    return "\n".join(fields)


def random_requests(seed: int, names: Sequence[str], count: int) -> list[tuple[str, ...]]:
    """Requests for one to five of ``names``, sorted, as the solver takes them."""
    dice = random.Random(seed)
    return [tuple(sorted(dice.sample(names, dice.choice((1, 1, 2, 3, 5))))) for _ in range(count)]


def neighbourhood(universe: Universe, packages: Sequence[DebianPackage]) -> list[DebianPackage]:
    """``packages`` and everything their clauses could be met with, sorted by name."""
    found = {package.name: package for package in packages}
    for package in packages:
        for clause in (*package.pre_depends, *package.depends):
            for relation in clause:
                for target in universe.targets(relation):
                    found.setdefault(target.name, target)
    return [found[name] for name in sorted(found)]
