"""The order in which packages are configured: what others need before those who need it.

dpkg sees to dependencies itself, but where they leave a choice, the order decides what the
result looks like (``passwd`` reads a file that ``login`` brings, and does not depend on it).
The essential packages come first, as with debootstrap and mmdebstrap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bootsmith.sources.debian.deb import ControlArchive
from bootsmith.sources.debian.relation import Clause, parse_clauses, parse_relations
from bootsmith.sources.debian.version import Version

_Provider = tuple[ControlArchive, Version | None]


def configure_order(controls: Sequence[ControlArchive]) -> tuple[ControlArchive, ...]:
    """``controls`` with every package after those it depends on, as far as cycles let it.

    Among equals the given order stays.
    """
    return _ordered(controls, (*_essential(controls), *controls))


def essential_closure(controls: Sequence[ControlArchive]) -> tuple[ControlArchive, ...]:
    """The essential ones of ``controls``, and all they need."""
    return _ordered(controls, _essential(controls))


def _essential(controls: Sequence[ControlArchive]) -> Sequence[ControlArchive]:
    return [control for control in controls if control.fields.get("Essential") == "yes"]


def _ordered(
    controls: Sequence[ControlArchive], starts: Iterable[ControlArchive]
) -> tuple[ControlArchive, ...]:
    """``starts`` with all they need of ``controls``, each after what it needs itself."""
    providers = _providers(controls)
    done: dict[int, ControlArchive] = {}
    for start in starts:
        _visit(start, providers, done)
    return tuple(done.values())


def _visit(
    start: ControlArchive, providers: Mapping[str, list[_Provider]], done: dict[int, ControlArchive]
) -> None:
    """Add ``start`` to ``done``, after everything it needs (depth first, without recursion)."""
    seen = {id(start)}
    path = [(start, _needs(start, providers))]
    while path:
        control, needs = path[-1]
        following = next(needs, None)
        if following is None:
            done.setdefault(id(control), control)
            path.pop()
        elif id(following) not in seen and id(following) not in done:
            seen.add(id(following))
            path.append((following, _needs(following, providers)))


def _needs(
    control: ControlArchive, providers: Mapping[str, list[_Provider]]
) -> Iterator[ControlArchive]:
    """The packages that meet the dependencies of ``control``."""
    for field in ("Pre-Depends", "Depends"):
        for clause in parse_clauses(control.fields.get(field, "")):
            yield from _meeting(clause, providers)


def _meeting(clause: Clause, providers: Mapping[str, list[_Provider]]) -> Iterator[ControlArchive]:
    for relation in clause:
        for control, version in providers.get(relation.name, ()):
            if relation.admits(version):
                yield control
                return


def _providers(controls: Sequence[ControlArchive]) -> dict[str, list[_Provider]]:
    """Who has a name: its own package, and those that provide it with or without a version."""
    found: dict[str, list[_Provider]] = {}
    for control in controls:
        found.setdefault(control.name, []).append((control, control.version))
    for control in controls:
        for provided in parse_relations(control.fields.get("Provides", "")):
            found.setdefault(provided.name, []).append((control, provided.version))
    return found
