"""What follows from what is known, without a choice.

A demand excludes the packages it does not admit.  A package is out when what it needs is, and
when another must stand under one of its names.  Where one package is left for a wanted name, its
demands count; where several are, what all of them need is wanted, and what all of them stand for
is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bootsmith.sources.alpine.apk_version import ApkVersion
from bootsmith.sources.alpine.dependency import Dependency
from bootsmith.sources.alpine.package import ApkPackage
from bootsmith.sources.alpine.preference import is_pinned_right, may_be_taken_unasked
from bootsmith.sources.alpine.search_state import (
    Demand,
    Exclusion,
    Levels,
    Reason,
    SearchState,
    Trigger,
)
from bootsmith.sources.alpine.universe import Provider, Universe


class DeadEnd(Exception):
    """What is wanted cannot be had, given the choices in ``levels``."""

    def __init__(self, levels: Levels, why: Demand | Trigger) -> None:
        super().__init__(str(why))
        self.levels = levels
        self.why = why


class Propagation:
    """Draws conclusions in ``state``, which may be exchanged for another moment's.

    ``opened`` collects the names that have come up, to be settled by a choice.
    """

    def __init__(self, universe: Universe) -> None:
        self.state = SearchState()
        self.opened: list[str] = []
        self._universe = universe
        self._changed: dict[str, None] = {}  # names to look at again, in order
        self._watchers: dict[str, set[str]] = {}  # names whose providers depend on a name

    def look_at_everything(self) -> None:
        """Draw all conclusions again, after another moment was gone back to."""
        self._changed = dict.fromkeys(self.state.wanted)
        self.opened = [*self.state.wanted, *(one.name for one in self.state.triggered)]

    def demand(self, demand: Demand) -> None:
        dependency = demand.dependency
        if not dependency.is_conflict:
            self._want(demand)
        for provider in self._universe.providers(dependency.name):
            if dependency.is_met_by(provider.version):
                self._pass_pins_on(provider.package, demand)
            else:
                self.exclude(provider.package, Exclusion(str(demand), demand.levels), demand)

    def _want(self, demand: Demand) -> None:
        name = demand.dependency.name
        if name not in self.state.wanted:
            self.state.wanted[name] = demand
            self._changed[name] = None
            self.opened.append(name)
            self._look_at(*sorted(self._watchers.get(name, ())))  # some may conflict with it
            # A virtual name may now have a provider that is wanted by its own.
            for provider in self._universe.providers(name):
                for provided in provider.package.provides:
                    self._look_at(provided.name)

    def _pass_pins_on(self, package: ApkPackage, demand: Demand) -> None:
        tag = demand.dependency.tag
        if demand.owner is not None:
            self._pin(package, self.state.pins.get(demand.owner, frozenset()))
        elif tag is not None:
            self._pin(package, frozenset({tag}))
            self.state.preferred[package] = tag

    def _pin(self, package: ApkPackage, tags: frozenset[str]) -> None:
        """Let ``package``, and what it depends on, come from the repositories with ``tags``."""
        pins = self.state.pins
        pending = [package]
        while tags and pending:
            current = pending.pop()
            if tags <= pins.get(current, frozenset()):
                continue
            pins[current] = pins.get(current, frozenset()) | tags
            self._look_at(current.name, *(one.name for one in current.provides))
            if current in self.state.reasons:
                pending += [
                    provider.package
                    for dependency in current.depends
                    for provider in self._universe.providers(dependency.name)
                    if dependency.is_met_by(provider.version)
                ]

    def exclude(self, package: ApkPackage, why: Exclusion, culprit: Demand | Trigger) -> None:
        state = self.state
        if package in state.excluded:
            return
        if state.is_selected(package):
            raise DeadEnd(why.levels | state.reasons[package].levels, culprit)
        state.excluded[package] = why
        for name in (package.name, *(one.name for one in package.provides)):
            self._look_at(name)
            self._look_at(*sorted(self._watchers.get(name, ())))

    def _look_at(self, *names: str) -> None:
        for name in names:
            if name in self.state.wanted and name not in self.state.standing:
                self._changed[name] = None

    def propagate(self) -> None:
        while self._changed:
            name = next(iter(self._changed))
            del self._changed[name]
            if name in self.state.wanted and name not in self.state.standing:
                self._consider(name)

    def _consider(self, name: str) -> None:
        """Draw the conclusions from what may still stand under a wanted name."""
        wanted = self.state.wanted[name]
        options = list(self.options(name))
        levels = self.levels_behind(name)
        if not options:
            raise DeadEnd(levels, wanted)
        if len(options) == 1:
            self._count_demands(options[0].package, Reason(wanted, levels))
        else:
            self._want_what_all_need(options, levels)
        self._exclude_rivals(name, options, wanted, levels)

    def options(self, name: str) -> Iterator[Provider]:
        """What may still stand under ``name``.  What cannot be installed any more is excluded."""
        for provider in self._universe.providers(name):
            package = provider.package
            if package in self.state.excluded:
                continue
            for dependency in package.depends:
                self._watchers.setdefault(dependency.name, set()).add(name)
            broken = next(filter(None, map(self.why_not, package.depends)), None)
            if broken is None:
                yield provider
            else:
                self.exclude(package, broken, self.state.wanted[name])

    def why_not(self, dependency: Dependency) -> Exclusion | None:
        """Why ``dependency`` cannot be met, if it cannot."""
        state, name = self.state, dependency.name
        standing = state.standing.get(name)
        if standing is not None:
            if dependency.is_met_by(standing.version):
                return None
            return Exclusion(f"it needs {dependency}", state.levels_of(name))
        if dependency.is_conflict and name not in state.wanted:
            return None
        levels: set[int] = set()
        providers = self._universe.providers(name)
        if not providers and not dependency.is_conflict:
            return Exclusion(f"it needs {dependency}, which no repository has", frozenset())
        for provider in providers:
            if dependency.is_met_by(provider.version):
                exclusion = state.excluded.get(provider.package)
                if exclusion is None:
                    return None
                levels |= exclusion.levels
        if dependency.is_conflict:
            levels |= state.wanted[name].levels
        return Exclusion(f"it needs {dependency}", frozenset(levels))

    def levels_behind(self, name: str) -> Levels:
        """The choices that led to what is left to stand under a wanted name."""
        state = self.state
        levels = set(state.wanted[name].levels)
        for provider in self._universe.providers(name):
            if provider.package in state.excluded:
                levels |= state.excluded[provider.package].levels
        return frozenset(levels)

    def may_take(self, provider: Provider) -> bool:
        return may_be_taken_unasked(provider, self.state) and is_pinned_right(
            provider.package, self._universe, self.state
        )

    def _count_demands(self, package: ApkPackage, reason: Reason) -> None:
        """Let the demands of a package count that is, or has to become, part of the solution."""
        if package not in self.state.reasons:
            self.state.reasons[package] = reason
            for dependency in package.depends:
                self.demand(Demand(dependency, package, reason.levels))

    def _want_what_all_need(self, options: Sequence[Provider], levels: Levels) -> None:
        first = options[0].package
        needs = [
            {one.name for one in provider.package.depends if not one.is_conflict}
            for provider in options
        ]
        for dependency in first.depends:
            if (
                all(dependency.name in names for names in needs)
                and dependency.name not in self.state.wanted
            ):
                demand = Demand(Dependency(dependency.name), first, levels)
                self._want(demand)
                for provider in self._universe.providers(dependency.name):
                    self._pass_pins_on(provider.package, demand)

    def _exclude_rivals(
        self, name: str, options: Sequence[Provider], wanted: Demand, levels: Levels
    ) -> None:
        """Exclude what would stand under a name that every option takes for itself."""
        inside = {provider.package for provider in options}
        taken = [dict(names_of(package)) for package in inside]
        for other in taken[0].keys() - {name}:
            if not all(other in names for names in taken):
                continue
            has_virtual = any(names[other] is None for names in taken)
            for provider in self._universe.providers(other):
                if provider.package in inside or (has_virtual and provider.version is None):
                    continue
                reason = f"{other} goes with {wanted.dependency}"
                self.exclude(provider.package, Exclusion(reason, levels), wanted)

    def select(self, package: ApkPackage, why: Demand | Trigger, levels: Levels) -> None:
        state = self.state
        for name, version in names_of(package):
            there = state.standing.get(name)
            if there is None:
                state.standing[name] = Provider(package, version)
            elif there.package is not package and not (there.version is None and version is None):
                raise DeadEnd(levels | state.levels_of(name), why)
        self._count_demands(package, Reason(why, levels))
        for name, version in names_of(package):
            for rival in self._universe.providers(name):
                if rival.package is not package and not (version is None and rival.version is None):
                    reason = f"{package} stands for {name}"
                    self.exclude(rival.package, Exclusion(reason, levels), why)
            self._look_at(*sorted(self._watchers.get(name, ())))
        for name, _ in names_of(package):
            for waiting in self._universe.waiting_for(name):
                self._trigger(waiting)

    def _trigger(self, package: ApkPackage) -> None:
        """Note a package that comes by itself, if all it waits for is there."""
        state = self.state
        levels: set[int] = set()
        tags: set[str] = set()
        for dependency in package.install_if:
            standing = state.standing.get(dependency.name)
            if standing is None or not dependency.is_met_by(standing.version):
                return
            levels |= state.levels_of(dependency.name)
            tags |= state.pins.get(standing.package, frozenset())
        self._pin(package, frozenset(tags))
        if package not in state.triggered:
            state.triggered[package] = Trigger(package, frozenset(levels))
            self.opened.append(package.name)


def names_of(package: ApkPackage) -> Iterator[tuple[str, ApkVersion | None]]:
    """The names a package stands under, its own first, each once."""
    seen = {package.name}
    yield package.name, package.version
    for provided in package.provides:
        if provided.name not in seen:
            seen.add(provided.name)
            yield provided.name, provided.version
