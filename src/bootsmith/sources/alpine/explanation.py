"""Why there is no solution, in words and as data."""

from __future__ import annotations

from collections.abc import Sequence

from bootsmith.errors import PackageNotFound, ResolveError, VersionConflict
from bootsmith.sources.alpine.dependency import Dependency
from bootsmith.sources.alpine.preference import is_pinned_right, may_be_taken_unasked
from bootsmith.sources.alpine.search_state import Demand, SearchState, Trigger
from bootsmith.sources.alpine.universe import Universe
from bootsmith.sources.suggestion import did_you_mean


def unknown_tag(universe: Universe, dependency: Dependency) -> ResolveError:
    """The world names a tag that no repository has."""
    tags = ", ".join(f"@{tag}" for tag in sorted(universe.tags))
    return ResolveError(
        f"no repository has the tag @{dependency.tag}",
        causes=(f"you asked for {dependency}",),
        hint=f"the tags are: {tags}" if tags else "add a repository as '@tag address'",
    )


def absent(universe: Universe, asked: Sequence[Dependency]) -> PackageNotFound:
    """Nothing has the names that are asked for."""
    names = sorted({dependency.name for dependency in asked})
    none_of = "there is no package" if len(names) == 1 else "there are no packages"
    return PackageNotFound(
        f"{none_of} {', '.join(names)} for {universe.arch} in {_searched(universe)}",
        causes=(f"you asked for {', '.join(map(str, asked))}",),
        hint=_did_you_mean(universe, *names),
    )


def too_hard(first: ResolveError) -> ResolveError:
    """The search was given up; ``first`` is what stood in apk's own way."""
    return ResolveError(
        "no set of packages was found within ten thousand tries",
        causes=(str(first), *first.causes),
        hint="ask for versions, or keep packages out (!name), to narrow the choice",
    )


def unmet(universe: Universe, state: SearchState, why: Demand | Trigger) -> ResolveError:
    """What ``why`` brings in cannot be had.

    ``PackageNotFound`` when nothing of that name exists at all, ``ResolveError`` when the user
    has to choose, else ``VersionConflict``.
    """
    name = why.dependency.name if isinstance(why, Demand) else why.package.name
    chain = list(state.chain_to(why))
    providers = universe.providers(name)
    if not providers:
        return PackageNotFound(
            f"a package does not exist for {universe.arch}: {name}",
            causes=(*chain, f"{_searched(universe)} have no {name}"),
            hint=_did_you_mean(universe, name),
        )
    left = [one for one in providers if one.package not in state.excluded]
    choices = sorted({one.package.name for one in left})
    if left and not any(may_be_taken_unasked(one, state) for one in left):
        return ResolveError(
            f"{name} is a virtual package that {len(choices)} packages provide",
            causes=(*chain, f"it is provided by {', '.join(choices)}"),
            hint="ask for one of these by its own name",
        )
    for one in providers:
        exclusion = state.excluded.get(one.package)
        if exclusion is not None:
            chain.append(f"not {one.package}: {exclusion.reason}")
        elif not is_pinned_right(one.package, universe, state):
            tag = universe.home(one.package).repository.tag
            chain.append(f"not {one.package}: it is only in the repository tagged @{tag}")
    what = why.dependency if isinstance(why, Demand) else why.package
    return VersionConflict(
        f"packages cannot be installed together: {what}",
        causes=tuple(dict.fromkeys(chain)),
        hint="leave one of them out, or ask for another version (name=version, name~version)",
    )


def _searched(universe: Universe) -> str:
    return ", ".join(str(one.repository) for one in universe.repositories)


def _did_you_mean(universe: Universe, *names: str) -> str:
    similar = {name: universe.similar(name) for name in names}
    return did_you_mean(similar, otherwise="check the name, the branch and the repositories")
