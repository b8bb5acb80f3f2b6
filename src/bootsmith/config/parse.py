"""From fields to a ``BuildConfig``: all their problems in one report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from bootsmith.config.assignments import loose_assignment_problems
from bootsmith.config.build_config import BuildConfig
from bootsmith.config.problems import problems_of
from bootsmith.config.unknown_keys import unknown_key_problems
from bootsmith.errors import ConfigError, Problem


def parse_config(fields: Mapping[str, Any], *, origin: str, strict: bool = False) -> BuildConfig:
    """The config that ``fields`` describe, named as they are in a file.

    Raises ``ConfigError`` with every problem found.  What is only doubtful is told beside
    mistakes; alone it is a mistake only when ``strict`` (else ask ``doubtful_problems``).
    """
    doubtful = doubtful_problems(fields)
    try:
        config = BuildConfig.model_validate(fields, by_alias=True, by_name=False)
    except ValidationError as error:
        raise _refusal(origin, (*problems_of(error), *doubtful)) from error
    if doubtful and strict:
        raise _refusal(origin, doubtful)
    return config


def doubtful_problems(fields: Mapping[str, Any]) -> tuple[Problem, ...]:
    """What of ``fields`` has a meaning or none, and probably not the one that was meant."""
    return (*unknown_key_problems(fields), *loose_assignment_problems(fields))


def _refusal(origin: str, problems: tuple[Problem, ...]) -> ConfigError:
    count = "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
    return ConfigError(f"{origin} has {count}", problems=problems)
