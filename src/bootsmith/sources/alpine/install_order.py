"""The order in which apk installs packages: what others need before those who need it.

Scripts run in this order, and of two packages that bring one file, the later one meets it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bootsmith.sources.alpine.dependency import Dependency
from bootsmith.sources.alpine.package import ApkPackage
from bootsmith.sources.alpine.universe import Provider, Universe


def install_order(
    universe: Universe, world: Sequence[Dependency], standing: Mapping[str, Provider]
) -> tuple[ApkPackage, ...]:
    """The packages of ``standing``, a solution, in apk's order.

    From each item of the world down: a package after what it depends on, as its dependencies
    are listed and as far as cycles let it, and right after it those that come by themselves.
    """
    walk = _Walk(universe, standing)
    for dependency in world:
        walk.visit(dependency.name)
    return tuple(walk.ordered)


class _Walk:
    def __init__(self, universe: Universe, standing: Mapping[str, Provider]) -> None:
        self.ordered: list[ApkPackage] = []
        self._universe = universe
        self._standing = standing
        self._met: set[str] = set()  # names, and those of the packages that stand under them
        self._begun: set[ApkPackage] = set()

    def visit(self, name: str) -> None:
        # By hand, since chains of dependencies are longer than Python's stack.
        pending = [self._steps(name)]
        while pending:
            further = next(pending[-1], None)
            if further is None:
                pending.pop()
            else:
                pending.append(self._steps(further))

    def _steps(self, name: str) -> Iterator[str]:
        """The names to visit on the way through ``name``."""
        if name in self._met:
            return
        self._met.add(name)
        provider = self._standing.get(name)
        if provider is None or provider.package in self._begun:
            return
        package = provider.package
        self._begun.add(package)
        names = (package.name, *(one.name for one in package.provides))
        self._met.update(names)
        yield from (dependency.name for dependency in package.depends)
        self.ordered.append(package)
        for own in names:
            for waiting in self._universe.waiting_for(own):
                if self._is_due(waiting):
                    yield waiting.name

    def _is_due(self, package: ApkPackage) -> bool:
        standing = self._standing.get(package.name)
        return (
            standing is not None
            and standing.package is package
            and all(
                one.name in self._met
                and one.name in self._standing
                and one.is_met_by(self._standing[one.name].version)
                for one in package.install_if
            )
        )
