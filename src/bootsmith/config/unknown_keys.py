"""Keys of a config that mean nothing, and which were probably meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from bootsmith.config.build_config import BuildConfig
from bootsmith.config.shape import every_key, keys_of
from bootsmith.errors import Problem
from bootsmith.model.similar import similar

_SCHEMA = "$schema"  # editors read it; only the whole document has one


def unknown_key_problems(fields: Mapping[str, Any]) -> tuple[Problem, ...]:
    """One problem for each key that means nothing to us, with the nearest one that does."""
    return tuple(_problems({**fields, _SCHEMA: ""}, BuildConfig, ""))


def _problems(value: object, part: type[BaseModel], pointer: str) -> Iterator[Problem]:
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _problems(item, part, f"{pointer}[{index}]")
    if not isinstance(value, Mapping):
        return
    known = keys_of(part)
    for key, below in value.items():
        where = f"{pointer}.{key}" if pointer else str(key)
        if key not in known:
            if where != _SCHEMA:
                yield Problem(
                    pointer=where,
                    message="is not a field of a build config",
                    suggestion=_suggestion(str(key), list(known), pointer),
                )
        elif (inner := known[key]) is not None:
            yield from _problems(below, inner, where)


def _suggestion(key: str, here: list[str], pointer: str) -> str:
    """The key as it is called elsewhere; else the nearest of this part; else what there is."""
    wanted = key.replace("_", "").lower()
    folded = {name.lower(): name for name in here}
    elsewhere = {path.rpartition(".")[2].lower(): path for path in reversed(every_key())}
    if wanted in elsewhere and wanted not in folded:
        return f"did you mean {elsewhere[wanted]}?"
    if near := similar(wanted, folded):
        return f"did you mean {folded[near[0]]}?"
    return f"the fields {f'of {pointer} ' if pointer else ''}are {', '.join(here)}"
