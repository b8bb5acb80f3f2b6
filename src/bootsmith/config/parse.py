"""From fields to a ``BuildConfig``: all their problems in one report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from bootsmith.config.build_config import BuildConfig
from bootsmith.config.problems import problems_of
from bootsmith.config.unknown_keys import unknown_key_problems
from bootsmith.errors import ConfigError, Problem


def parse_config(fields: Mapping[str, Any], *, origin: str, strict: bool = False) -> BuildConfig:
    """The config that ``fields`` describe, named as they are in a file.

    Raises ``ConfigError`` with every problem found.  Unknown keys are told beside mistakes;
    alone they are a mistake only when ``strict`` (else ask ``unknown_key_problems``).
    """
    unknown = unknown_key_problems(fields)
    try:
        config = BuildConfig.model_validate(fields, by_alias=True, by_name=False)
    except ValidationError as error:
        raise _refusal(origin, (*problems_of(error), *unknown)) from error
    if unknown and strict:
        raise _refusal(origin, unknown)
    return config


def _refusal(origin: str, problems: tuple[Problem, ...]) -> ConfigError:
    count = "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
    return ConfigError(f"{origin} has {count}", problems=problems)
