"""Made-up Alpine repositories and random worlds, to be solved by two programs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.alpine_repository import Apk, apk

_VERSIONS = ("1.0-r0", "1.1-r0", "2.0_rc1-r0", "2.0-r1")
_BOUNDS = ("", "", "", "", "", "", "", "", "", ">=1.1", "<2", "=1.0-r0", "~1")


@dataclass(frozen=True, slots=True)
class MadeUp:
    """Packages, and what to ask of them; ``tagged`` are those of a second repository."""

    packages: tuple[Apk, ...]
    tagged: tuple[Apk, ...]
    worlds: tuple[tuple[str, ...], ...]


def made_up(seed: int, *, conflicts: float = 0.0, tag: str | None = None) -> MadeUp:
    """A repository of 8 to 30 names with several versions, and twenty worlds.

    ``conflicts`` is the share of packages that exclude another.  With ``tag`` there is a second
    repository of the same names, and worlds ask for some by the tag.
    """
    rng = random.Random(seed)
    count = rng.choice([8, 16, 30])
    packages = _packages(rng, count, conflicts)
    tagged = _packages(rng, count, conflicts) if tag else ()
    tags = ("", "", "", f"@{tag}") if tag else ("",)
    worlds = []
    for _ in range(20):
        names = rng.sample(_names(count), rng.randrange(1, 4))
        items = [
            name + rng.choice(tags) + rng.choice(("", "", "", ">=1.1", "<2")) for name in names
        ]
        if rng.random() < 0.2:
            items.append(rng.choice(_libraries(count)))
        worlds.append(tuple(items))
    return MadeUp(packages, tagged, tuple(worlds))


def _packages(rng: random.Random, count: int, conflicts: float) -> tuple[Apk, ...]:
    names, libraries, virtual = _names(count), _libraries(count), _virtual(count)
    found = []
    for number, name in enumerate(names):
        for version in rng.sample(_VERSIONS, rng.choice((1, 1, 1, 2, 3))):
            others = [other for other in names if other != name]
            depends = [
                _need(rng, others, libraries, virtual)
                for _ in range(rng.choice((0, 0, 1, 1, 2, 3)))
            ]
            if rng.random() < conflicts:
                depends.append(f"!{rng.choice(others)}")
            provides = []
            if rng.random() < 0.15:
                provides.append(rng.choice(virtual) + rng.choice(("", "", "=1", "=2")))
            if number < len(libraries):
                provides.append(f"{libraries[number]}={rng.choice('12')}")
            triggers = rng.sample(others, rng.choice((1, 2))) if rng.random() < 0.1 else ()
            found.append(
                apk(
                    name=name,
                    version=version,
                    depends=" ".join(dict.fromkeys(depends)),
                    provides=" ".join(provides),
                    install_if=" ".join(triggers),
                    priority=rng.choice((0, 0, 0, 0, 5, 10)),
                )
            )
    return tuple(found)


def _need(
    rng: random.Random, names: Sequence[str], libraries: Sequence[str], virtual: Sequence[str]
) -> str:
    kind = rng.random()
    if kind < 0.06:
        return rng.choice(virtual)
    if kind < 0.3:
        return rng.choice(libraries)
    return rng.choice(names) + rng.choice(_BOUNDS)


def _names(count: int) -> list[str]:
    return [f"p{number}" for number in range(count)]


def _libraries(count: int) -> list[str]:
    return [f"so:l{number}" for number in range(count // 4)]


def _virtual(count: int) -> list[str]:
    return [f"v{number}" for number in range(count // 4)]
