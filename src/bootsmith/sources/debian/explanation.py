"""Why there is no solution, in words and as data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from bootsmith.errors import PackageNotFound, ResolveError, VersionConflict
from bootsmith.sources.debian.goal import Chosen, Needed, Wanted, chain_to
from bootsmith.sources.debian.package import DebianPackage
from bootsmith.sources.debian.relation import Relation
from bootsmith.sources.debian.request import Item
from bootsmith.sources.debian.universe import Universe
from bootsmith.sources.suggestion import did_you_mean


def no_such_packages(universe: Universe, items: Sequence[Item]) -> PackageNotFound:
    """Names asked for are neither packages nor provided by any."""
    names = sorted({item.name for item in items})
    none_of = "there is no package" if len(names) == 1 else "there are no packages"
    searched = ", ".join(str(suite.repository) for suite in universe.suites)
    return PackageNotFound(
        f"{none_of} {', '.join(names)} for {universe.arch} in {searched}",
        causes=(f"you asked for {', '.join(map(str, items))}",),
        hint=_did_you_mean(universe, *names),
    )


def no_such_version(item: Item, versions: Sequence[DebianPackage]) -> VersionConflict:
    """A package asked for does not exist in that version, or not in that suite."""
    known = ", ".join(f"{one.version} ({one.suite})" for one in versions)
    return VersionConflict(
        f"{item.name} cannot be had as {item}",
        causes=(f"you asked for {item}", f"the repositories have {known}"),
        hint="ask for one of these versions, or leave the version out",
    )


def two_versions(first: Item, second: Item) -> VersionConflict:
    """One package is asked for in two versions."""
    return VersionConflict(
        f"{first} and {second} cannot both be had",
        causes=(f"you asked for {first}", f"you asked for {second}"),
        hint="a system has one version of a package: leave one of them out",
    )


def ambiguous_virtual(item: Item, providers: Sequence[DebianPackage]) -> ResolveError:
    """A name asked for is only provided, and by several packages."""
    names = ", ".join(provider.name for provider in providers)
    return ResolveError(
        f"{item.name} is a virtual package that several packages provide",
        causes=(f"you asked for {item}", f"it is provided by {names}"),
        hint="ask for one of these by its own name",
    )


def unmet(
    universe: Universe,
    goal: Wanted | Needed,
    *,
    chosen: Mapping[str, Chosen],
    excluded: Collection[str],
    obstacles: Callable[[DebianPackage], Iterable[DebianPackage]],
) -> ResolveError:
    """No target of ``goal`` can be chosen.

    ``PackageNotFound`` when nothing of that name exists at all, else ``VersionConflict``.
    """
    clause = (Relation(goal.name),) if isinstance(goal, Wanted) else goal.clause
    chain = list(chain_to(goal, chosen))
    exists = False
    for relation in clause:
        targets = list(universe.targets(relation))
        near = [*universe.versions(relation.name), *universe.providers(relation.name)]
        exists = exists or bool(near)
        if not near:
            chain.append(f"there is no package {relation.name}")
        elif not targets:
            have = ", ".join(sorted({str(one) for one in near}))
            chain.append(f"the repositories have {have}, not {relation}")
        for target in targets:
            if target.name in excluded:
                chain.append(f"{target.name} is left out at your request")
            for obstacle in dict.fromkeys(obstacles(target)):
                chain.append(f"{target} cannot stand beside {obstacle}")
                chain += [
                    f"{obstacle.name} is there since {step}"
                    for step in chain_to(chosen[obstacle.name].goal, chosen)[-1:]
                ]
    what = goal.name if isinstance(goal, Wanted) else str(goal)
    if not exists:
        return PackageNotFound(
            f"a package that is needed does not exist: {what}",
            causes=tuple(chain),
            hint=_did_you_mean(universe, clause[0].name),
        )
    return VersionConflict(
        f"packages cannot be installed together: {what}",
        causes=tuple(chain),
        hint="leave one of them out, or ask for another version (name=version, name/suite)",
    )


def _did_you_mean(universe: Universe, *names: str) -> str:
    similar = {name: universe.similar(name) for name in names}
    return did_you_mean(similar, otherwise="check the name, the suite and its components")
