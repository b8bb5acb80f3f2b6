"""Which of several open names apk settles first: the one it came upon last.

apk numbers names when it is done with looking around from them, before it decides anything.
From a name it looks at what its providers depend on, then at what comes by itself with them and
at the other names they have.  What the user asked for thus comes first, and of what one package
needs, the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bootsmith.sources.alpine.dependency import Dependency
from bootsmith.sources.alpine.package import ApkPackage
from bootsmith.sources.alpine.universe import Universe


def settling_order(universe: Universe, world: Sequence[Dependency]) -> Mapping[str, int]:
    """A number for every name that may come up; of two, the higher is settled first."""
    walk = _Walk(universe)
    for dependency in world:
        walk.visit(dependency.name)
    return walk.numbers


class _Walk:
    def __init__(self, universe: Universe) -> None:
        self.numbers: dict[str, int] = {}
        self._universe = universe
        self._names: set[str] = set()
        self._packages: set[ApkPackage] = set()

    def visit(self, name: str) -> None:
        # By hand, since chains of dependencies are longer than Python's stack.
        pending = [(name, self._around(name))]
        while pending:
            current, steps = pending[-1]
            further = next(steps, None)
            if further is None:
                pending.pop()
                self.numbers.setdefault(current, len(self.numbers))
            elif further not in self._names:
                pending.append((further, self._around(further)))

    def _around(self, name: str) -> Iterator[str]:
        self._names.add(name)
        providers = self._universe.providers(name)
        for package, _ in providers:
            if package not in self._packages:
                self._packages.add(package)
                yield from (dependency.name for dependency in package.depends)
        for package, _ in providers:
            yield from self._coming_with(package.name)
            for provided in package.provides:
                # The number of a name with one provider never matters.
                if provided.name not in self._names and self._universe.is_shared(provided.name):
                    yield provided.name
                    yield from self._coming_with(provided.name)

    def _coming_with(self, name: str) -> Iterator[str]:
        for package in self._universe.waiting_for(name):
            yield package.name
            yield from (provided.name for provided in package.provides)
