"""The shape of a config: which keys a part has, and which of them hold parts again."""

from __future__ import annotations

from typing import get_args

from pydantic import BaseModel

from bootsmith.config.build_config import BuildConfig


def keys_of(part: type[BaseModel]) -> dict[str, type[BaseModel] | None]:
    """The keys of a part as a file has them; where one holds a part, or a list of them, which."""
    return {
        field.alias or name: _part(field.annotation) for name, field in part.model_fields.items()
    }


def every_part() -> list[type[BaseModel]]:
    """The parts that a config may have, itself among them, each once."""
    found: list[type[BaseModel]] = []
    waiting: list[type[BaseModel]] = [BuildConfig]
    while waiting:
        part = waiting.pop()
        if part not in found:
            found.append(part)
            waiting += filter(None, keys_of(part).values())
    return found


def every_key() -> list[str]:
    """The dotted paths of all keys, without indexes of lists."""
    return _below(BuildConfig, "")


def _below(part: type[BaseModel], prefix: str) -> list[str]:
    found = []
    for key, inner in keys_of(part).items():
        found.append(prefix + key)
        if inner is not None:
            found += _below(inner, f"{prefix}{key}.")
    return found


def _part(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_part, get_args(annotation))), None)
