"""From a user's text to a ``BuildConfig``: all its problems in one report."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from bootsmith.config.build_config import BuildConfig, unknown_keys
from bootsmith.errors import ConfigError, Problem


def parse_text(text: str, *, origin: str) -> dict[str, Any]:
    """The mapping in ``text``: TOML when ``origin`` ends so, JSON otherwise.

    Raises ``ConfigError`` with line and column of a mistake.
    """
    try:
        found = tomllib.loads(text) if origin.endswith(".toml") else json.loads(text)
    except json.JSONDecodeError as error:
        problem = Problem(
            pointer="", message=f"line {error.lineno}, column {error.colno}: {error.msg}"
        )
        raise ConfigError(f"{origin} is not JSON", problems=(problem,)) from error
    except (RecursionError, ValueError) as error:
        raise ConfigError(
            f"{origin} cannot be read", problems=(Problem(pointer="", message=str(error)),)
        ) from error
    if not isinstance(found, dict):
        raise ConfigError(f"{origin} must hold an object, not {_kind(found)}")
    return found


def parse_config(fields: Mapping[str, Any], *, origin: str) -> BuildConfig:
    """The config that ``fields`` describe.  Raises ``ConfigError`` with every problem found."""
    try:
        return BuildConfig.model_validate(fields)
    except ValidationError as error:
        problems = tuple(_problem(detail) for detail in error.errors(include_url=False))
        count = "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        raise ConfigError(f"{origin} has {count}", problems=problems) from error


def unknown_key_problems(config: BuildConfig) -> tuple[Problem, ...]:
    """One problem for each key that means nothing to us, with the nearest one that does."""
    known = _known_keys(BuildConfig)
    found = []
    for pointer in unknown_keys(config):
        near = difflib.get_close_matches(pointer.rpartition(".")[2], known, n=1)
        found.append(
            Problem(
                pointer=pointer,
                message="is not a field of a build config",
                suggestion=f"did you mean {near[0]}?" if near else None,
            )
        )
    return tuple(found)


def _known_keys(model: type[BaseModel]) -> list[str]:
    names = []
    for name, field in model.model_fields.items():
        names.append(field.alias or name)
        for candidate in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                names += _known_keys(candidate)
    return names


def _problem(detail: Mapping[str, Any]) -> Problem:
    pointer = ""
    for step in detail["loc"]:
        pointer += f"[{step}]" if isinstance(step, int) else f".{step}" if pointer else str(step)
    message = str(detail["msg"]).removeprefix("Value error, ")
    kind = str(detail["type"])
    if kind not in ("value_error", "missing"):
        message = f"{message[:1].lower()}{message[1:]}, found {detail['input']!r}"
    return Problem(pointer=pointer, message=message)


def _kind(value: object) -> str:
    return {list: "a list", str: "a text", type(None): "null"}.get(type(value), "a number")
