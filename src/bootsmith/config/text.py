"""From the text of a config to its fields: JSON with comments, YAML or TOML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from bootsmith.config.objects import ObjectWithKeysTwice, as_object, refuse
from bootsmith.errors import ConfigError, Problem

# Outside of strings: comments of both kinds, and a comma that nothing follows.
_STRING = r'"(?:[^"\\\n]|\\.)*"'
_COMMENTS = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?\*/", re.DOTALL)
_TRAILING_COMMAS = re.compile(rf"{_STRING}|[\[{{,]\s*,|,(?=\s*[\]}}])")


def parse_text(text: str, *, origin: str) -> dict[str, Any]:
    """The mapping in ``text``, a file called ``origin``: TOML or YAML when its name ends so
    (``.toml``, ``.yaml``, ``.yml``), else JSON, where comments and trailing commas may stand.

    Raises ``ConfigError`` with line and column of a mistake, or the path of a key that stands
    twice in one object.
    """
    name = origin.lower()
    if name.endswith(".toml"):
        found = _toml(text, origin)
    elif name.endswith((".yaml", ".yml")):
        # YAML is the one format whose parser is no part of Python, and few configs are in it.
        from bootsmith.config.yaml_text import parse_yaml

        found = parse_yaml(text, origin=origin)
        if found is None:  # comments alone are a config, too
            found = {}
    else:
        found = _json(text, origin)
    if not isinstance(found, dict):
        raise ConfigError(f"{origin} must hold an object, not {_kind(found)}")
    twice = tuple(
        Problem(pointer=pointer, message="stands twice in one object", suggestion="remove one")
        for pointer in _keys_standing_twice(found, "")
    )
    if twice:
        raise ConfigError(f"{origin} has keys that stand twice", problems=twice)
    return found


def _json(text: str, origin: str) -> object:
    plain = _TRAILING_COMMAS.sub(_blanked, _COMMENTS.sub(_blanked, text))
    try:
        return json.loads(plain, object_pairs_hook=as_object, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        refuse(origin, "JSON", f"{place}: {error.msg[:1].lower()}{error.msg[1:]}", error)
    except (RecursionError, ValueError) as error:
        problem = Problem(pointer="", message=str(error))
        raise ConfigError(f"{origin} cannot be read", problems=(problem,)) from error


def _blanked(found: re.Match[str]) -> str:
    """Blanks in place of what JSON does not know, so that lines and columns stay."""
    text = found[0]
    is_wrong = len(text) > 1 and text.endswith(",")  # a comma with nothing before it stays
    return text if text.startswith('"') or is_wrong else re.sub(r"[^\n]", " ", text)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number JSON knows")


def _toml(text: str, origin: str) -> object:
    import tomllib  # few configs are TOML

    try:
        return tomllib.loads(text)
    except RecursionError as error:
        refuse(origin, "TOML", "it is nested too deep", error)
    except tomllib.TOMLDecodeError as error:
        refuse(origin, "TOML", str(error), error)


def _keys_standing_twice(value: object, pointer: str) -> Iterator[str]:
    if isinstance(value, dict):
        prefix = f"{pointer}." if pointer else ""
        if isinstance(value, ObjectWithKeysTwice):
            yield from (f"{prefix}{name}" for name in value.twice)
        for name, item in value.items():
            yield from _keys_standing_twice(item, f"{prefix}{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _keys_standing_twice(item, f"{pointer}[{index}]")


def _kind(value: object) -> str:
    kinds = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
