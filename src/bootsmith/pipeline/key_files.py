"""The public keys that a config names, besides those a distribution's own come with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bootsmith.errors import ConfigError, HostError, Problem
from bootsmith.host.files import read_whole, user_path

_MOST_BYTES = 16 << 20


def read_keys(names: Sequence[str], *, pointer: str, folder: Path) -> tuple[tuple[str, bytes], ...]:
    """The name and content of each file; relative ones are below ``folder``.

    Raises ``ConfigError``, about ``pointer``, for one that cannot be read.
    """
    found = []
    for index, name in enumerate(names):
        try:
            path = user_path(name, base=folder)
            found.append((path.name, read_whole(path, most_bytes=_MOST_BYTES)))
        except HostError as error:
            raise ConfigError(
                "a key file cannot be read",
                problems=(Problem(pointer=f"{pointer}[{index}]", message=str(error)),),
            ) from error
    return tuple(found)
