"""Choosing the packages of an image: deterministic, and apk's choice.

``solve`` makes what ``apk add`` makes in an empty system.  First everything that follows without
a choice: a name with one package left is that package's, a package that a demand does not admit
is out, and so is one whose own demands cannot be met.  Where a choice remains, the name that apk
settles first is settled with the package that apk prefers (``preference.py``).

apk stops when that leads nowhere.  Here the search goes back to the latest choice that had a
part in it (conflict-directed backjumping), so that what can be installed is found; where nothing
can, the first dead end, which is apk's, is explained.
``docs/decisions/0008-alpine-solver.md`` says what was compared with apk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from bootsmith.errors import ResolveError
from bootsmith.sources.alpine.dependency import Dependency
from bootsmith.sources.alpine.explanation import absent, too_hard, unknown_tag, unmet
from bootsmith.sources.alpine.install_order import install_order
from bootsmith.sources.alpine.package import ApkPackage
from bootsmith.sources.alpine.preference import best_first, is_pinned_right
from bootsmith.sources.alpine.propagation import DeadEnd, Propagation
from bootsmith.sources.alpine.search_state import (
    CERTAIN,
    Demand,
    Exclusion,
    Levels,
    SearchState,
    Trigger,
)
from bootsmith.sources.alpine.settling_order import settling_order
from bootsmith.sources.alpine.universe import Provider, Universe

_MOST_DEAD_ENDS = 10_000  # real worlds meet a handful; only a made one meets these


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """Packages that can be installed together, in the order in which apk installs them.

    ``reasons`` holds for each package the demand that brought it in, and ``tags`` that of the
    repository it was pinned to, if it was.
    """

    packages: tuple[ApkPackage, ...]
    reasons: tuple[str, ...]
    tags: tuple[str | None, ...]
    world: tuple[Dependency, ...]


def solve(universe: Universe, world: Sequence[Dependency]) -> Solution:
    """The packages to install for ``world`` (``parse_world``).

    Raises ``PackageNotFound`` when something asked for or depended upon does not exist,
    ``VersionConflict`` when it cannot be had together with the rest, and ``ResolveError`` when a
    name could be any of several packages' and for a tag that no repository has.
    """
    for dependency in world:
        if dependency.tag is not None and dependency.tag not in universe.tags:
            raise unknown_tag(universe, dependency)
    wanted = [one for one in world if not one.is_conflict]
    if unknown := [one for one in wanted if not universe.providers(one.name)]:
        raise absent(universe, unknown)
    state = _Search(universe, world).run()
    packages = install_order(universe, world, state.standing)
    return Solution(
        packages=packages,
        reasons=tuple(str(state.reasons[one].why) for one in packages),
        tags=tuple(_tag(one, universe, state) for one in packages),
        world=tuple(world),
    )


def _tag(package: ApkPackage, universe: Universe, state: SearchState) -> str | None:
    """apk looks at the untagged repositories first, then at the others in their order."""
    pins = state.pins.get(package, frozenset())
    if not pins or universe.is_in(package, {None}):
        return None
    return universe.home(package, pins).repository.tag


@dataclass(slots=True, kw_only=True)
class _Choice:
    """A name that several packages may have, as things stood when it came up.

    ``options`` are those not tried yet (``None``: nobody), ``levels`` what led here, and
    ``blame`` the choices that had a part in the failure of those tried.
    """

    why: Demand | Trigger
    options: list[Provider | None]
    state: SearchState
    levels: Levels
    blame: set[int] = field(default_factory=set)


class _Search:
    def __init__(self, universe: Universe, world: Sequence[Dependency]) -> None:
        self._universe = universe
        self._world = world
        self._asked = frozenset(one.name for one in world)
        self._order = settling_order(universe, world)
        self._known = Propagation(universe)
        self._choices: list[_Choice] = []
        self._agenda: list[tuple[tuple[bool, int], str]] = []  # a heap of names to settle
        self._dead_ends = 0
        self._first_failure: ResolveError | None = None

    def run(self) -> SearchState:
        try:
            for dependency in self._world:
                self._known.demand(Demand(dependency, None, CERTAIN))
        except DeadEnd as dead_end:
            raise unmet(self._universe, self._state, dead_end.why) from dead_end
        going_on = True
        while going_on:
            try:
                self._known.propagate()
                going_on = self._settle_next()
            except DeadEnd as dead_end:
                self._jump_back(dead_end)
        return self._state

    @property
    def _state(self) -> SearchState:
        return self._known.state

    def _settle_next(self) -> bool:
        """Take the next package where there is a choice; tell whether there was any."""
        self._take_up_opened()
        without_candidate = []
        while self._agenda:
            urgency, name = heappop(self._agenda)
            if name in self._state.standing:
                continue
            trigger = None if name in self._state.wanted else self._coming(name)
            if trigger is not None:
                self._let_come(trigger)
            elif name not in self._state.wanted:
                continue
            elif self._has_candidate(name):
                self._settle(name)
            else:
                without_candidate.append((urgency, name))
                continue
            for one in without_candidate:
                heappush(self._agenda, one)
            return True
        for _, name in without_candidate:
            self._settle(name)
        return False

    def _take_up_opened(self) -> None:
        """Put new names in their place: what was asked for first, then in apk's order."""
        for name in self._known.opened:
            urgency = (name not in self._asked, -self._order.get(name, -1))
            heappush(self._agenda, (urgency, name))
        self._known.opened.clear()

    def _has_candidate(self, name: str) -> bool:
        return any(
            self._known.may_take(provider)
            for provider in self._universe.providers(name)
            if provider.package not in self._state.excluded
        )

    def _coming(self, name: str) -> Trigger | None:
        """What brings in a package of that name that nobody demands, if anything does."""
        for package, _ in self._universe.providers(name):
            trigger = self._state.triggered.get(package)
            if trigger is not None and package.name == name and self._comes(trigger):
                return trigger
        return None

    def _settle(self, name: str) -> None:
        wanted, options = self._state.wanted[name], list(self._known.options(name))
        levels = self._known.levels_behind(name)
        takeable = [provider for provider in options if self._known.may_take(provider)]
        if not takeable:
            if options:  # any choice might have been one that allows another repository
                levels |= frozenset(range(len(self._choices)))
            raise DeadEnd(levels, wanted)
        self._choose(wanted, [*best_first(takeable, self._universe, self._state)], levels)

    def _comes(self, trigger: Trigger) -> bool:
        package = trigger.package
        return (
            package.name not in self._state.standing
            and package not in self._state.excluded
            and is_pinned_right(package, self._universe, self._state)
            and not any(map(self._known.why_not, package.depends))
        )

    def _let_come(self, trigger: Trigger) -> None:
        own = [
            provider
            for provider in self._universe.providers(trigger.package.name)
            if provider.package in self._state.triggered
            and self._comes(self._state.triggered[provider.package])
        ]
        options = best_first(own, self._universe, self._state)
        self._choose(trigger, [*options, None], trigger.levels)

    def _choose(
        self, why: Demand | Trigger, options: list[Provider | None], levels: Levels
    ) -> None:
        only = options[0]
        if len(options) == 1 and only is not None:
            self._known.select(only.package, why, levels)
            return
        self._choices.append(
            _Choice(why=why, options=options, state=self._state.copy(), levels=levels)
        )
        self._try_next()

    def _try_next(self) -> None:
        """Go on with the next option of the latest choice."""
        choice = self._choices[-1]
        option = choice.options.pop(0)
        levels = choice.levels | choice.blame
        if choice.options:
            levels |= {len(self._choices) - 1}
            self._known.state = choice.state.copy()
        else:
            self._choices.pop()  # the last way left is no choice any more
            self._known.state = choice.state
        if option is not None:
            self._known.select(option.package, choice.why, levels)
        elif isinstance(choice.why, Trigger):
            reason = Exclusion("what it needs cannot be had", levels)
            self._known.exclude(choice.why.package, reason, choice.why)

    def _jump_back(self, dead_end: DeadEnd) -> None:
        """Go on from the latest choice that had a part in ``dead_end``."""
        self._dead_ends += 1
        if self._first_failure is None:
            self._first_failure = unmet(self._universe, self._state, dead_end.why)
        levels = dead_end.levels
        while True:
            if not levels:
                raise self._first_failure
            if self._dead_ends > _MOST_DEAD_ENDS:
                raise too_hard(self._first_failure)
            level = max(levels)
            del self._choices[level + 1 :]
            self._choices[level].blame |= levels - {level}
            try:
                self._try_next()
            except DeadEnd as another:
                self._dead_ends += 1
                levels = another.levels
            else:
                self._known.look_at_everything()
                self._agenda.clear()
                return
