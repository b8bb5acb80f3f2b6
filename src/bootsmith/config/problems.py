"""What pydantic found wrong, in the words of somebody who writes a config."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from bootsmith.config.fields import ManyProblems
from bootsmith.errors import Problem
from bootsmith.model.similar import similar

_SHOWN_CHARS = 60


def problems_of(error: ValidationError) -> tuple[Problem, ...]:
    """Every mistake in ``error``: its dotted path, what was found, what is allowed."""
    return tuple(
        problem for detail in error.errors(include_url=False) for problem in _problems(detail)
    )


def _problems(detail: Mapping[str, Any]) -> Iterator[Problem]:
    pointer = _pointer(detail["loc"])
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, ManyProblems):
        for place, message in cause.problems:
            yield Problem(pointer=f"{pointer}{place}", message=message)
    elif cause is not None:
        yield Problem(pointer=pointer, message=str(cause))
    else:
        yield _problem(pointer, detail)


def _problem(pointer: str, detail: Mapping[str, Any]) -> Problem:
    kind, found = str(detail["type"]), detail["input"]
    if kind == "missing":
        return Problem(pointer=pointer, message="is missing, and must be given")
    if kind not in _ALLOWED:
        return Problem(pointer=pointer, message=f"cannot be {_shown(found)}: {detail['msg']}")
    allowed = _ALLOWED[kind](detail.get("ctx", {}))
    return Problem(
        pointer=pointer,
        message=f"must be {allowed}, found {_shown(found)}",
        suggestion=_suggestion(kind, found, detail.get("ctx", {})),
    )


_ALLOWED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "string_type": lambda _: "text",
    "string_pattern_mismatch": lambda _: "a name or number, or two with a colon between them",
    "int_type": lambda _: "a whole number",
    "int_from_float": lambda _: "a whole number",
    "bool_type": lambda _: "true or false",
    "tuple_type": lambda _: "a list",
    "model_type": lambda _: "an object",
    "model_attributes_type": lambda _: "an object",
    "dict_type": lambda _: "an object, or a list of NAME=value",
    "mapping_type": lambda _: "an object, or a list of NAME=value",
    "literal_error": lambda context: _listed(context["expected"]),
    "greater_than": lambda context: f"more than {context['gt']}",
    "greater_than_equal": lambda context: f"at least {context['ge']}",
    "less_than": lambda context: f"less than {context['lt']}",
    "less_than_equal": lambda context: f"at most {context['le']}",
}


def _suggestion(kind: str, found: object, context: Mapping[str, Any]) -> str | None:
    """What to write instead, where that can be guessed."""
    if kind == "literal_error" and isinstance(found, str):
        choices = re.findall(r"'([^']*)'", context["expected"])
        near = similar(found.lower(), choices)
        return f"did you mean {near[0]}?" if near else None
    if kind == "string_type" and isinstance(found, (bool, int, float)):
        return f'write it in quotes: "{str(found).lower()}"'
    if kind == "tuple_type" and isinstance(found, str):
        return f'write ["{found}"]'
    if kind == "int_type" and isinstance(found, str) and found.isdecimal():
        return f"write {found} without quotes"
    if kind == "bool_type" and found in ("yes", "on", "true", "no", "off", "false"):
        return f"write {'true' if found in ('yes', 'on', 'true') else 'false'} without quotes"
    return None


def _listed(expected: str) -> str:
    """pydantic's ``'a', 'b' or 'c'`` without the quotes."""
    return expected.replace("'", "")


def _shown(value: object) -> str:
    """A value as its file has it, with what it is; long ones shortened."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            short = value if len(value) <= _SHOWN_CHARS else f"{value[:_SHOWN_CHARS]}…"
            return f"the text {short!r}"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "an object"
    return f"a {type(value).__name__}"


def _pointer(location: tuple[int | str, ...]) -> str:
    pointer = ""
    for step in location:
        pointer += f"[{step}]" if isinstance(step, int) else f".{step}" if pointer else str(step)
    return pointer
