"""The world: what the user asks for, in apk's own words (apk-world(5))."""

from __future__ import annotations

from collections.abc import Iterable

from bootsmith.errors import ImageError, ResolveError
from bootsmith.sources.alpine.dependency import Dependency, parse_dependency


def parse_world(items: Iterable[str]) -> tuple[Dependency, ...]:
    """What ``items`` ask for, each once, sorted by name as apk keeps them.

    ``name``, ``name=1.2-r0``, ``name~22``, ``name>=3``, ``name@tag``, ``!name``, and anything
    packages provide (``cmd:node``).  Raises ``ResolveError`` for any other text.
    """
    found = {_parse(item) for item in items}
    return tuple(sorted(found, key=lambda one: (one.name, str(one))))


def _parse(item: str) -> Dependency:
    try:
        return parse_dependency(item.strip())
    except ImageError as error:
        raise ResolveError(
            f"not a request for an Alpine package: {item!r}",
            causes=(f"you asked for {item!r}",),
            hint="write name, name=version, name~version, name@tag, or !name to keep a package out",
        ) from error
