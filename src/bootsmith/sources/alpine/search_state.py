"""What the solver knows at one moment of its search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from bootsmith.sources.alpine.dependency import Dependency
from bootsmith.sources.alpine.package import ApkPackage
from bootsmith.sources.alpine.universe import Provider

Levels: TypeAlias = frozenset[int]
"""The choices that something follows from, by their number; none for what is certain."""

CERTAIN: Levels = frozenset()


class Demand(NamedTuple):
    """A dependency of ``owner``, or of the user where that is ``None``."""

    dependency: Dependency
    owner: ApkPackage | None
    levels: Levels

    def __str__(self) -> str:
        if self.owner is None:
            return f"you asked for {self.dependency}"
        return f"{self.owner} depends on {self.dependency}"


class Trigger(NamedTuple):
    """What brings in a package that nobody demands: all of its ``install_if`` is there."""

    package: ApkPackage
    levels: Levels

    def __str__(self) -> str:
        rule = " ".join(map(str, self.package.install_if))
        return f"{self.package} comes with {rule}"


class Reason(NamedTuple):
    """Why a package is, or has to become, part of the solution."""

    why: Demand | Trigger
    levels: Levels


class Exclusion(NamedTuple):
    """Why a package cannot be had any more, as a sentence about it."""

    reason: str
    levels: Levels


@dataclass(slots=True, kw_only=True)
class SearchState:
    """Mutable; ``copy`` keeps a moment to come back to.

    ``wanted`` are the names under which a package must stand, with the demand that came first;
    ``standing`` those under which one does.  ``reasons`` are those of the packages that are
    part of the solution, or the last that is left for some name; their demands count already.
    ``pins`` are the tags of repositories that a
    package may come from besides the untagged, ``preferred`` the one the world names for it.
    """

    wanted: dict[str, Demand] = field(default_factory=dict)
    standing: dict[str, Provider] = field(default_factory=dict)
    reasons: dict[ApkPackage, Reason] = field(default_factory=dict)
    excluded: dict[ApkPackage, Exclusion] = field(default_factory=dict)
    triggered: dict[ApkPackage, Trigger] = field(default_factory=dict)
    pins: dict[ApkPackage, frozenset[str]] = field(default_factory=dict)
    preferred: dict[ApkPackage, str] = field(default_factory=dict)

    def copy(self) -> SearchState:
        return SearchState(
            wanted=dict(self.wanted),
            standing=dict(self.standing),
            reasons=dict(self.reasons),
            excluded=dict(self.excluded),
            triggered=dict(self.triggered),
            pins=dict(self.pins),
            preferred=dict(self.preferred),
        )

    def is_selected(self, package: ApkPackage) -> bool:
        """Whether ``package`` is part of the solution so far."""
        standing = self.standing.get(package.name)
        return standing is not None and standing.package is package

    def levels_of(self, name: str) -> Levels:
        """What the package that stands under ``name`` follows from."""
        return self.reasons[self.standing[name].package].levels

    def chain_to(self, why: Demand | Trigger) -> tuple[str, ...]:
        """The demands that led to ``why``, the user's own words first and ``why`` last."""
        return tuple(reversed([str(one) for one in self._upwards(why)]))

    def _upwards(self, why: Demand | Trigger) -> Iterator[Demand | Trigger]:
        seen: set[ApkPackage] = set()
        current: Demand | Trigger | None = why
        while current is not None:
            yield current
            above = current.owner if isinstance(current, Demand) else None
            if above is None or above in seen or above not in self.reasons:
                return
            seen.add(above)
            current = self.reasons[above].why
