"""This machine and this user, as values: read once by ``sdk/`` and ``cli/``, handed down."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from bootsmith.errors import HostError
from bootsmith.model.arch import Arch
from bootsmith.model.digest import Digest

_SOURCE_SUFFIXES = (".py", ".json", ".sh")


def environment() -> Mapping[str, str]:
    """The process environment as it is now."""
    return dict(os.environ)


def host_arch() -> Arch:
    """This machine's architecture.  Raises ``ConfigError`` for one we do not build for."""
    machine = platform.machine()
    return Arch.parse("aarch64" if machine == "arm64" else machine)


def home_folder() -> Path:
    """The user's home.  Raises ``HostError`` when there is none."""
    try:
        return Path.home()
    except RuntimeError as error:
        raise HostError("this user has no home folder", hint="set HOME") from error


def is_linux() -> bool:
    return sys.platform.startswith("linux")


@cache
def own_sources_digest() -> Digest:
    """A digest of bootsmith's own code: what was cached by other code is not used again."""
    package = str(Path(__file__).resolve().parent.parent)
    hasher = hashlib.sha256()
    for path in sorted(_sources(package)):
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - no Path is made for each
            content = file.readall()
        hasher.update(f"{path.removeprefix(package)} {len(content)}\n".encode())
        hasher.update(content)
    return Digest.sha256(hasher.hexdigest())


def _sources(folder: str) -> Iterator[str]:
    """The paths of sources below ``folder``; every build looks for them, so by the quick way."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _sources(entry.path)
            elif entry.name.endswith(_SOURCE_SUFFIXES):
                yield entry.path
