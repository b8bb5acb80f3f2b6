"""The public keys that a config names, besides those a distribution's own come with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bootsmith.errors import BootsmithError, ConfigError, HostError, ImageError, Problem
from bootsmith.host.files import read_whole, user_path

_MOST_BYTES = 16 << 20


def read_keys(
    names: Sequence[str], *, pointer: str, folder: Path, check: Callable[[bytes], object]
) -> tuple[tuple[str, bytes], ...]:
    """The name and content of each file; relative ones are below ``folder``.

    ``check`` raises ``ImageError`` for content that is no key.  Raises ``ConfigError``, about
    ``pointer``, that names every file that cannot be read or holds something else.
    """
    found = []
    problems: list[Problem] = []

    def wrong(index: int, message: str, error: BootsmithError) -> None:
        place = f"{pointer}[{index}]"
        problems.append(Problem(pointer=place, message=message, suggestion=error.hint))

    for index, name in enumerate(names):
        try:
            path = user_path(name, base=folder)
            content = read_whole(path, most_bytes=_MOST_BYTES)
            check(content)
            found.append((path.name, content))
        except HostError as error:
            wrong(index, str(error), error)
        except ImageError as error:
            wrong(index, f"{name}: {error}", error)
    if problems:
        raise ConfigError("a key file cannot be used", problems=tuple(problems))
    return tuple(found)
