"""Mistakes of a config that are found one after the other, and told together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bootsmith.errors import ConfigError

_T = TypeVar("_T")


class Mistakes:
    """Those noted so far."""

    def __init__(self) -> None:
        self._errors: list[ConfigError] = []

    def noted(self, read: Callable[[], _T]) -> _T | None:
        """What ``read`` returns, or ``None``, with the mistake noted that it raises."""
        try:
            return read()
        except ConfigError as error:
            self._errors.append(error)
            return None

    def tell(self, what: str) -> None:
        """Raises ``ConfigError`` if any were noted: ``what``, with all their problems, or the only
        one itself."""
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            problems = tuple(problem for error in self._errors for problem in error.problems)
            raise ConfigError(what, problems=problems)
