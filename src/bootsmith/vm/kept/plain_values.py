"""Specifications as JSON and back, for a process that is to start what another one describes.

Dataclasses become objects, tuples arrays; enumerations go by their values and paths by their text.
Reading wants exactly the fields and kinds that the class declares.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

from bootsmith.errors import AgentError

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

_T = TypeVar("_T")
_PLAIN_KINDS = (bool, int, float, str)


def as_plain(value: object) -> Plain:
    """``value`` in the terms of JSON.  Raises ``TypeError`` for what is none of the above."""
    if isinstance(value, Enum):
        return as_plain(value.value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [as_plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_plain(getattr(value, field.name)) for field in fields(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{value!r} has no plain form")


def from_plain(kind: type[_T], value: Plain) -> _T:
    """The ``kind``, a dataclass, that ``as_plain`` made ``value`` of.

    Raises ``AgentError`` (code ``protocol``) when it is nothing of the kind.
    """
    found = _read(kind, value)
    assert isinstance(found, kind)
    return found


def _read(kind: object, value: Plain) -> object:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _read_one_of(get_args(kind), value)
    if origin is tuple:
        return tuple(_read(get_args(kind)[0], item) for item in _want(list, value))
    assert isinstance(kind, type)
    if is_dataclass(kind):
        return _read_fields(kind, _want(dict, value))
    if issubclass(kind, (Enum, Path)):
        return _made(kind, value)
    return _want(kind, value)


def _read_one_of(kinds: tuple[object, ...], value: Plain) -> object:
    """``value`` as what it can be made, where there is a choice: a path rather than its text."""
    if value is None and types.NoneType in kinds:
        return None
    some = [one for one in kinds if one is not types.NoneType]
    made = [one for one in some if one not in _PLAIN_KINDS]
    return _read((made or some)[0], value)


def _read_fields(kind: type, value: Mapping[str, Plain]) -> object:
    hints = get_type_hints(kind)
    names = {field.name for field in fields(kind)}
    if names != set(value):
        raise _wrong(kind, value)
    return kind(**{name: _read(hints[name], value[name]) for name in names})


def _made(kind: Callable[[str], object], value: Plain) -> object:
    try:
        return kind(_want(str, value))
    except ValueError as error:
        raise _wrong(kind, value) from error


def _want(kind: type[_T], value: object) -> _T:
    is_number = kind is float and type(value) is int
    if type(value) is not kind and not is_number:
        raise _wrong(kind, value)
    return value  # type: ignore[return-value]  # checked above


def _wrong(kind: object, value: object) -> AgentError:
    name = getattr(kind, "__name__", str(kind))
    return AgentError(f"a {name} was expected, and {value!r} came", code="protocol")
