"""Which of several packages apk takes, where any would do."""

from __future__ import annotations

from collections.abc import Iterable

from bootsmith.sources.alpine.package import ApkPackage
from bootsmith.sources.alpine.search_state import SearchState
from bootsmith.sources.alpine.universe import Provider, Universe


def is_pinned_right(package: ApkPackage, universe: Universe, state: SearchState) -> bool:
    """Whether ``package`` is in a repository without a tag, or with one it may come from."""
    return universe.is_in(package, {None, *state.pins.get(package, ())})


def may_be_taken_unasked(provider: Provider, state: SearchState) -> bool:
    """Whether a package may be chosen because of this name.

    Where a name is virtual, the user has to say which of its providers is meant, unless the
    packages say so by a ``provider_priority``.
    """
    return (
        provider.version is not None
        or provider.package.provider_priority > 0
        or provider.package.name in state.wanted
    )


def best_first(
    providers: Iterable[Provider], universe: Universe, state: SearchState
) -> list[Provider]:
    """``providers`` of one name, in the order in which apk would take them."""
    rest = list(providers)
    ordered = []
    while rest:
        best = rest[0]
        for other in rest[1:]:
            # Of equals the first stays: that of the repository and index position before.
            if _is_better(other, best, universe, state):
                best = other
        ordered.append(best)
        rest.remove(best)
    return ordered


def _is_better(one: Provider, other: Provider, universe: Universe, state: SearchState) -> bool:
    for first, second in (
        (_is_preferred(one, universe, state), _is_preferred(other, universe, state)),
        _versions(one, other),
        (one.package.provider_priority, other.package.provider_priority),
        (-universe.rank(one.package), -universe.rank(other.package)),
    ):
        if first != second:
            return bool(first > second)  # type: ignore[operator]
    return False


def _is_preferred(provider: Provider, universe: Universe, state: SearchState) -> bool:
    return universe.is_in(provider.package, {state.preferred.get(provider.package)})


def _versions(one: Provider, other: Provider) -> tuple[object, object]:
    """The two versions to compare: under the name in question, else the packages' own."""
    if one.version is not None and other.version is not None and one.version != other.version:
        return one.version, other.version
    if one.package.name == other.package.name:
        return one.package.version, other.package.version
    return 0, 0
