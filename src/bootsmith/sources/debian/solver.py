"""Choosing the packages of an image: small, deterministic, and apt's choice.

``solve`` makes what ``apt-get install`` makes in an empty system, in mmdebstrap's two steps:
the essential packages, then the rest of the base set together with what was asked.  Depth
first, in the order of the fields; a clause that a chosen package fulfils already costs
nothing; otherwise the first target that conflicts with nothing chosen is taken.  When a clause
cannot be met, the search jumps back to the latest choice that had a part in it (conflict-
directed backjumping): it finds a solution whenever the candidates have one, and otherwise
explains the failure it met first.  ``docs/decisions/0003-debian-solver.md`` says why this is
not a general engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from bootsmith.errors import ResolveError
from bootsmith.sources.debian.explanation import (
    ambiguous_virtual,
    no_such_packages,
    no_such_version,
    two_versions,
    unmet,
)
from bootsmith.sources.debian.goal import Chosen, Expand, Goal, Needed, Wanted
from bootsmith.sources.debian.package import DebianPackage
from bootsmith.sources.debian.relation import Relation
from bootsmith.sources.debian.request import BaseSet, Item, Request
from bootsmith.sources.debian.universe import Universe, fulfils


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """Packages that can be installed together, sorted by name, and why each is there.

    ``asked`` are the packages that the request named; ``reasons`` holds for each package, in
    the same order, the clause or wish that brought it in.
    """

    packages: tuple[DebianPackage, ...]
    asked: tuple[str, ...]
    reasons: tuple[str, ...]


def solve(universe: Universe, request: Request) -> Solution:
    """The packages to install for ``request``, whatever the order of its items.

    Raises ``PackageNotFound`` when something asked for or depended upon does not exist,
    ``VersionConflict`` when it exists but cannot be had together with the rest, and
    ``ResolveError`` when a name asked for could be any of several packages.
    """
    excluded = frozenset(item.name for item in request.items if item.is_exclusion)
    items = [item for item in request.items if not item.is_exclusion]
    if absent := [item for item in items if not _is_known(universe, item.name)]:
        raise no_such_packages(universe, absent)
    universe = universe.pinned(_pins(universe, items))
    asked = sorted({requested_package(universe, item).name for item in items})
    essential = [] if request.base is BaseSet.NOTHING else universe.essential()
    others = [
        package
        for priority in request.base.priorities
        for package in universe.of_priority(priority)
        if package.name not in excluded
    ]
    search = _Search(universe, excluded, with_recommends=request.with_recommends)
    chosen = search.run(
        [Wanted(one.name, "every image holds") for one in essential],
        [
            *(Wanted(name, "you asked for") for name in asked),
            *(Wanted(one.name, f"the base set holds the {one.priority}") for one in others),
        ],
    )
    return Solution(
        packages=tuple(chosen[name].package for name in sorted(chosen)),
        asked=tuple(asked),
        reasons=tuple(str(chosen[name].goal) for name in sorted(chosen)),
    )


def requested_package(universe: Universe, item: Item) -> DebianPackage:
    """The package that an item names; a virtual one stands for its only provider.

    Raises as ``solve`` does.
    """
    versions = universe.versions(item.name)
    for package in versions:
        if item.version in (None, package.version) and (
            item.suite is None or universe.is_from(package, item.suite)
        ):
            return package
    if versions:
        raise no_such_version(item, versions)
    providers = universe.providers(item.name) if item.is_plain else ()
    if not providers:
        raise no_such_packages(universe, [item])
    if len(providers) > 1:
        raise ambiguous_virtual(item, providers)
    return providers[0]


def _is_known(universe: Universe, name: str) -> bool:
    return bool(universe.versions(name) or universe.providers(name))


def _pins(universe: Universe, items: Sequence[Item]) -> list[DebianPackage]:
    """The packages that are asked for in a certain version or from a certain suite."""
    pins: dict[str, tuple[Item, DebianPackage]] = {}
    for item in items:
        if item.is_plain:
            continue
        package = requested_package(universe, item)
        other, pinned = pins.setdefault(package.name, (item, package))
        if pinned != package:
            raise two_versions(other, item)
    return [package for _, package in pins.values()]


# A list in which a choice can remember its place for nothing: (first goal, the others).
_Agenda: TypeAlias = "tuple[Goal, _Agenda] | None"


@dataclass(slots=True, kw_only=True)
class _Choice:
    """A clause that can be met in several ways, as things stood when it came up.

    ``options`` are the ways not tried yet (``None``: not at all), ``levels`` the earlier
    choices that led to the clause or took options away, ``blame`` those that had a part in the
    failure of the options tried.
    """

    goal: Wanted | Needed
    options: list[DebianPackage | None]
    agenda: _Agenda
    depth: int  # of the trail
    levels: frozenset[int]
    blame: set[int] = field(default_factory=set)


class _Search:
    def __init__(
        self, universe: Universe, excluded: frozenset[str], *, with_recommends: bool
    ) -> None:
        self._universe = universe
        self._excluded = excluded
        self._with_recommends = with_recommends
        self._chosen: dict[str, Chosen] = {}
        self._trail: list[DebianPackage] = []
        self._choices: list[_Choice] = []
        self._providers: dict[str, list[DebianPackage]] = {}
        self._enemies: dict[str, list[tuple[DebianPackage, Relation]]] = {}
        self._first_failure: ResolveError | None = None

    def run(self, *steps: Sequence[Wanted]) -> dict[str, Chosen]:
        agenda: _Agenda = None
        for wanted in reversed(steps):
            # All that is wanted is taken before what it depends on, so that a clause finds the
            # alternative that was asked for anyway.
            agenda = _push([*wanted, *(Expand(goal.name) for goal in wanted)], agenda)
        while agenda is not None:
            goal, agenda = agenda
            if isinstance(goal, Expand):
                agenda = _push(list(self._clauses(self._chosen[goal.name].package)), agenda)
            elif not self._is_met(goal):
                agenda = self._meet(goal, agenda)
        return self._chosen

    def _clauses(self, package: DebianPackage) -> Iterator[Needed]:
        yield from (Needed(package, "pre-depends on", one) for one in package.pre_depends)
        yield from (Needed(package, "depends on", one) for one in package.depends)
        if self._with_recommends:
            yield from (
                Needed(package, "recommends", one, may_fail=True) for one in package.recommends
            )

    def _is_met(self, goal: Wanted | Needed) -> bool:
        if isinstance(goal, Wanted):
            return goal.name in self._chosen
        return any(True for relation in goal.clause for _ in self._chosen_targets(relation))

    def _chosen_targets(self, relation: Relation) -> Iterator[DebianPackage]:
        """The chosen packages that ``relation`` is about."""
        arch = self._universe.arch
        named = self._chosen.get(relation.name)
        if named is not None and fulfils(named.package, relation, arch):
            yield named.package
        for provider in self._providers.get(relation.name, ()):
            if provider.name != relation.name and fulfils(provider, relation, arch):
                yield provider

    def _meet(self, goal: Wanted | Needed, agenda: _Agenda) -> _Agenda:
        """Meet a goal.  Returns how to go on, from an earlier place after a jump back."""
        fitting, levels = self._options(goal)
        options: list[DebianPackage | None] = [*fitting]
        if isinstance(goal, Needed) and goal.may_fail:
            options.append(None)
        if options:
            self._choices.append(
                _Choice(
                    goal=goal,
                    options=options,
                    agenda=agenda,
                    depth=len(self._trail),
                    levels=levels,
                )
            )
            return self._try_next()
        # The first failure is met on apt's own way, and so the one to explain.
        self._first_failure = self._first_failure or unmet(
            self._universe,
            goal,
            chosen=self._chosen,
            excluded=self._excluded,
            obstacles=self._obstacles,
        )
        return self._jump_back(levels, self._first_failure)

    def _options(self, goal: Wanted | Needed) -> tuple[list[DebianPackage], frozenset[int]]:
        """The targets of a goal that fit what is chosen, and the levels that had a say in it."""
        levels: set[int] = set()
        if isinstance(goal, Needed):
            levels |= self._chosen[goal.owner.name].levels
        options: dict[str, DebianPackage] = {}
        for target in self._targets(goal):
            if target.name in options or target.name in self._excluded:
                continue
            obstacles = list(self._obstacles(target))
            for obstacle in obstacles:
                levels |= self._chosen[obstacle.name].levels
            if not obstacles:
                options[target.name] = target
        return list(options.values()), frozenset(levels)

    def _targets(self, goal: Wanted | Needed) -> Iterator[DebianPackage]:
        if isinstance(goal, Wanted):
            candidate = self._universe.candidate(goal.name)
            assert candidate is not None
            yield candidate
            return
        for relation in goal.clause:
            yield from self._universe.targets(relation)

    def _obstacles(self, package: DebianPackage) -> Iterator[DebianPackage]:
        """The chosen packages that ``package`` cannot stand beside."""
        for relation in (*package.conflicts, *package.breaks):
            for chosen in self._chosen_targets(relation):
                if chosen.name != package.name:
                    yield chosen
        for name in {package.name, *(provided.name for provided in package.provides)}:
            for enemy, relation in self._enemies.get(name, ()):
                if enemy.name != package.name and fulfils(package, relation, self._universe.arch):
                    yield enemy

    def _try_next(self) -> _Agenda:
        """Go on with the next option of the latest choice."""
        choice = self._choices[-1]
        option = choice.options.pop(0)
        levels = choice.levels | choice.blame
        if choice.options:
            levels |= {len(self._choices) - 1}
        else:
            self._choices.pop()  # the last way left is no choice any more
        if option is None:
            return choice.agenda
        self._take(Chosen(option, choice.goal, levels))
        if isinstance(choice.goal, Wanted):
            return choice.agenda
        return (Expand(option.name), choice.agenda)

    def _jump_back(self, blame: frozenset[int], failure: ResolveError) -> _Agenda:
        if not blame:
            raise failure
        level = max(blame)
        del self._choices[level + 1 :]
        choice = self._choices[level]
        while len(self._trail) > choice.depth:
            self._drop(self._trail.pop())
        choice.blame |= blame - {level}
        return self._try_next()

    def _take(self, chosen: Chosen) -> None:
        package = chosen.package
        self._chosen[package.name] = chosen
        self._trail.append(package)
        for provided in package.provides:
            self._providers.setdefault(provided.name, []).append(package)
        for relation in (*package.conflicts, *package.breaks):
            self._enemies.setdefault(relation.name, []).append((package, relation))

    def _drop(self, package: DebianPackage) -> None:
        del self._chosen[package.name]
        for provided in package.provides:
            self._providers[provided.name].remove(package)
        for relation in (*package.conflicts, *package.breaks):
            self._enemies[relation.name].remove((package, relation))


def _push(goals: Sequence[Goal], agenda: _Agenda) -> _Agenda:
    for goal in reversed(goals):
        agenda = (goal, agenda)
    return agenda
