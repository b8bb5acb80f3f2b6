"""Lists of variables that are understood, and hardly meant as they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bootsmith.errors import Problem


def loose_assignment_problems(fields: Mapping[str, Any]) -> tuple[Problem, ...]:
    """One problem for each entry of a list of variables without ``=``, or for a name that an
    entry before it sets already."""
    build = fields.get("build")
    lent = build.get("env") if isinstance(build, Mapping) else None
    return (
        *_problems("env", fields.get("env"), otherwise=""),
        *_problems("build.env", lent, otherwise=", or pass yours on with --build-env"),
    )


def _problems(pointer: str, items: object, *, otherwise: str) -> Iterator[Problem]:
    if not isinstance(items, (list, tuple)):
        return
    seen: dict[str, int] = {}
    for index, item in enumerate(items):
        if not isinstance(item, str):
            continue
        name, equals, _ = item.partition("=")
        if not equals:
            yield Problem(
                pointer=f"{pointer}[{index}]",
                message=f"{name} has no value, and is set to nothing",
                suggestion=f'write "{name}=" if that is meant{otherwise}',
            )
        if name in seen:
            yield Problem(
                pointer=f"{pointer}[{index}]",
                message=f"{name} is set twice, and this value counts",
                suggestion=f"remove {pointer}[{seen[name]}]",
            )
        seen[name] = index
