"""What a value given from Python may be: small checks that say what is wrong with it.

Each takes a value and tells what was expected of it and how to write it, or nothing when it is
as it should be.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from bootsmith.errors import ConfigError, Problem, VMError
from bootsmith.model.similar import similar
from bootsmith.vm.machine import Share
from bootsmith.vm.shares.place import share_path

Check: TypeAlias = Callable[[object], Iterator[Problem]]

_SHOWN_CHARACTERS = 60
_MOST_PORT = 0xFFFF


def require_sound(
    what: str, values: Mapping[str, object], checks: Mapping[str, Check], *, hint: str
) -> None:
    """Raises ``ConfigError`` with every problem of ``values``, each at its name in ``checks``."""
    problems = tuple(
        Problem(
            pointer=f"{name}{found.pointer}", message=found.message, suggestion=found.suggestion
        )
        for name, check in checks.items()
        for found in check(values[name])
    )
    if problems:
        raise ConfigError(f"{what} cannot be used", problems=problems, hint=hint)


def require_ports(guest_port: object, host_port: object) -> None:
    """Raises ``ConfigError`` for what are no ports; ``host_port`` may be 0, for any free one."""
    require_sound(
        "these ports",
        {"guest_port": guest_port, "host_port": host_port},
        {
            "guest_port": whole_number(least=1, most=_MOST_PORT),
            "host_port": whole_number(least=0, most=_MOST_PORT),
        },
        hint="as in forward(8000), or forward(8000, host_port=8080)",
    )


def optional(check: Check) -> Check:
    """``check``, or ``None``."""
    return lambda value: iter(()) if value is None else check(value)


def whole_number(*, least: int, most: int, unit: str = "", multiple_of: int = 1) -> Check:
    """An ``int`` between two others, both allowed."""

    def check(value: object) -> Iterator[Problem]:
        if not isinstance(value, int) or isinstance(value, bool):
            text = value if isinstance(value, str) and value.isdecimal() else None
            yield _wrong(f"a whole number{unit}", value, text and f"write {text} without quotes")
        elif not least <= value <= most:
            yield _wrong(f"between {least} and {most}{unit}", value)
        elif value % multiple_of:
            more = value - value % multiple_of + multiple_of
            yield _wrong(f"a multiple of {multiple_of}", value, f"write {more}")

    return check


def seconds(value: object) -> Iterator[Problem]:
    """A number above 0 that has an end."""
    if (
        not isinstance(value, (int, float))
        or isinstance(value, bool)
        or not (0 < value < math.inf)  # what is not a number is in no range
    ):
        yield _wrong("a number of seconds above 0", value)


def flag(value: object) -> Iterator[Problem]:
    if not isinstance(value, bool):
        yield _wrong("True or False", value)


def one_of(*choices: str) -> Check:
    """One of some words."""

    def check(value: object) -> Iterator[Problem]:
        if value not in choices:
            near = similar(str(value).lower(), choices)
            allowed = ", ".join(choices[:-1])
            suggestion = f"did you mean {near[0]}?" if near else None
            yield _wrong(f"{allowed} or {choices[-1]}", value, suggestion)

    return check


def file_path(value: object) -> Iterator[Problem]:
    if not isinstance(value, (str, Path)) or "\0" in str(value) or str(value) in ("", "."):
        yield _wrong("the path of a file", value)


def words(value: object) -> Iterator[Problem]:
    """Kernel arguments."""
    if not isinstance(value, (list, tuple)):
        suggestion = f"write ({value!r},)" if isinstance(value, str) else None
        yield _wrong("a tuple of texts", value, suggestion)
        return
    for index, word in enumerate(value):
        if not isinstance(word, str) or not {"\0", "\n"}.isdisjoint(word):
            wrong = _wrong("a text without line breaks", word)
            yield Problem(pointer=f"[{index}]", message=wrong.message)


def shares(value: object) -> Iterator[Problem]:
    """Folders of this machine, each at a place of its own in the guest."""
    if not isinstance(value, (list, tuple)):
        suggestion = "write (Share(…),)" if isinstance(value, Share) else None
        yield _wrong("a tuple of Share", value, suggestion)
        return
    for index, share in enumerate(value):
        yield from _share(share, f"[{index}]")
    yield from _shared_twice(value)


def _share(share: object, pointer: str) -> Iterator[Problem]:
    if not isinstance(share, Share):
        wrong = _wrong("a Share", share)
        example = "write Share(host_folder='./src', guest_folder='/work')"
        yield Problem(pointer=pointer, message=wrong.message, suggestion=example)
        return
    host: object = share.host_folder
    if not isinstance(host, (str, Path)) or "\0" in str(host) or host == "":
        wrong = _wrong("the path of a folder", host)
        yield Problem(pointer=f"{pointer}.host_folder", message=wrong.message)
    for wrong in flag(share.readonly):
        yield Problem(pointer=f"{pointer}.readonly", message=wrong.message)
    if (error := _why_no_place(share.guest_folder)) is not None:
        yield Problem(pointer=f"{pointer}.guest_folder", message=error, suggestion="as in /work")


def _why_no_place(folder: object) -> str | None:
    if not isinstance(folder, str):
        return _wrong("a path of the guest, as text", folder).message
    try:
        share_path(folder)
    except VMError as error:
        return f"{error}: {error.hint}"
    return None


def _shared_twice(found: Sequence[object]) -> Iterator[Problem]:
    places = Counter(
        "/" + "/".join(share_path(share.guest_folder))
        for share in found
        if isinstance(share, Share) and _why_no_place(share.guest_folder) is None
    )
    for place, times in places.items():
        if times > 1:
            yield Problem(pointer="", message=f"{place} is the place of {times} folders")


def _wrong(expected: str, found: object, suggestion: str | None = None) -> Problem:
    shown = repr(found)
    if len(shown) > _SHOWN_CHARACTERS:
        shown = f"{shown[:_SHOWN_CHARACTERS]}…"
    return Problem(pointer="", message=f"must be {expected}, found {shown}", suggestion=suggestion)
