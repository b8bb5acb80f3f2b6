"""Which package the kernel comes from.

It is opened for the kernel and its modules and not installed, so what it depends on (mkinitfs,
kmod) does not come into the image.
"""

from __future__ import annotations

from bootsmith.errors import PackageNotFound, VersionConflict
from bootsmith.sources.alpine.package import ApkPackage
from bootsmith.sources.alpine.preference import best_first, is_pinned_right
from bootsmith.sources.alpine.search_state import SearchState
from bootsmith.sources.alpine.universe import Universe
from bootsmith.sources.alpine.world import parse_world

DEFAULT_KERNEL = "linux-virt"
"""Alpine's kernel for virtual machines."""


def kernel_package(universe: Universe, name: str = DEFAULT_KERNEL) -> ApkPackage:
    """The package that holds the kernel called ``name``, which may carry a version or a tag.

    Raises ``PackageNotFound`` when there is none, ``VersionConflict`` when it cannot be had so.
    """
    (asked,) = parse_world([name])
    every = [one for one in universe.providers(asked.name) if one.package.name == asked.name]
    if not every:
        similar = universe.similar(asked.name)
        raise PackageNotFound(
            f"there is no kernel package {asked.name} for {universe.arch}",
            causes=(f"the kernel is to be {asked}",),
            hint=f"did you mean {' or '.join(similar)}?" if similar else "check the repositories",
        )
    tags = frozenset({asked.tag} if asked.tag else ())
    state = SearchState(pins={one.package: tags for one in every})
    if asked.tag:
        state.preferred = {one.package: asked.tag for one in every}
    fitting = [
        one
        for one in every
        if asked.is_met_by(one.version) and is_pinned_right(one.package, universe, state)
    ]
    if not fitting:
        known = ", ".join(str(one.package.version) for one in every)
        raise VersionConflict(
            f"the kernel cannot be had as {asked}",
            causes=(f"the kernel is to be {asked}", f"the repositories have {known}"),
            hint="ask for one of these versions, or leave the version out",
        )
    return best_first(fitting, universe, state)[0].package
