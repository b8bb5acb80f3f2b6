"""The shape of a config: which keys a part has, and which of them hold parts again."""

from __future__ import annotations

from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bootsmith.config.build_config import BuildConfig


def key_of(name: str, field: FieldInfo) -> str:
    """What a field is called in a file."""
    return field.alias or name


def keys_of(part: type[BaseModel]) -> dict[str, type[BaseModel] | None]:
    """The keys of a part; where one holds a part, or a list of them, its type."""
    return {key_of(name, field): _part(field.annotation) for name, field in _fields(part)}


def every_key() -> list[str]:
    """The dotted paths of all keys, without indexes of lists."""
    return list(_below(BuildConfig, ""))


def _below(part: type[BaseModel], prefix: str) -> list[str]:
    found = []
    for key, inner in keys_of(part).items():
        found.append(prefix + key)
        if inner is not None:
            found += _below(inner, f"{prefix}{key}.")
    return found


def _fields(part: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    return list(part.model_fields.items())


def _part(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_part, get_args(annotation))), None)
