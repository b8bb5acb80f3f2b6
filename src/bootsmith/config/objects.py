"""What the languages of configs share: their objects, and how a mistake is told."""

from __future__ import annotations

from typing import Any, NoReturn

from bootsmith.errors import ConfigError, Problem


class ObjectWithKeysTwice(dict[str, Any]):
    """An object some of whose keys stand in it more than once: those in ``twice``."""

    def __init__(self, pairs: list[tuple[str, Any]], twice: list[str]) -> None:
        super().__init__(pairs)
        self.twice = twice


def as_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of ``pairs``, which remembers keys that stand twice."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    names = [name for name, _ in pairs]
    return ObjectWithKeysTwice(pairs, sorted({name for name in names if names.count(name) > 1}))


def refuse(origin: str, language: str, message: str, error: Exception) -> NoReturn:
    """Raises ``ConfigError``: the file ``origin`` is not written in ``language``."""
    problem = Problem(pointer="", message=message)
    raise ConfigError(f"{origin} is not {language}", problems=(problem,)) from error
