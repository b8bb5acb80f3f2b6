"""A mirror: a way to get bytes, and no input.

It stands in no id and in no image, and whatever comes from it is checked against what the
archive signed.  So whichever is nearest may be taken (``alpine.mirror``, ``debian.mirror``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from bootsmith.errors import ConfigError, Problem, UnsafePath

# What may stand in a path that is joined to a mirror's address: nothing that ends the path of
# a URL, and (checked by segment) nothing that climbs.
_FILENAME = re.compile(r"[A-Za-z0-9._+~:=,@%/-]+")


class IndexFetcher(Protocol):
    """Gets indexes from one mirror.  Paths are relative to it."""

    def address(self, path: str) -> str:
        """Where the file is asked for, for whoever has to look there."""
        ...

    def fresh(self, path: str) -> bytes:
        """The file as it is at the mirror now.  Raises ``FetchError``, with status 404 when
        the mirror has no such file."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """The address of a mirror, without a slash at its end, and who named it.

    ``passed_over`` says why nearer ones were not taken, where that may be the user's mistake.
    """

    url: str
    named_by: str
    passed_over: tuple[str, ...] = ()


def checked_address(url: str, *, pointer: str, example: str) -> str:
    """``url`` without a slash at its end.  Raises ``ConfigError``, about ``pointer``, when it is
    no address that bootsmith can ask."""
    if is_address(url):
        return url.rstrip("/")
    shown = "an address with a user or a password" if "@" in url else repr(url)
    raise ConfigError(
        f"not the address of a mirror: {shown}",
        problems=(
            Problem(
                pointer=pointer,
                message=f"{shown} is not an http, https or file address that can be asked",
                suggestion=f"write it like {example}",
            ),
        ),
    )


def is_address(url: str) -> bool:
    """Whether ``url`` is an http, https or file address that a path can be joined to.

    One with a user or a password is not: it would stand in errors, logs and the cache.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.query or parts.fragment or "@" in parts.netloc or not url.isprintable() or " " in url:
        return False
    return (parts.scheme in ("http", "https") and bool(parts.netloc)) or (
        parts.scheme == "file" and parts.path.startswith("/")
    )


def safe_filename(path: str, package: str) -> str:
    """The ``path`` of a package's file below a mirror, without a leading ``./``.

    Raises ``UnsafePath`` for one that would leave the mirror or mean something else in a URL.
    """
    path = path.removeprefix("./")
    if not _FILENAME.fullmatch(path) or any(
        segment in ("", ".", "..") for segment in path.split("/")
    ):
        raise UnsafePath(
            f"the index names a file outside of its mirror for {package}: {path!r}",
            member=package,
            hint="do not use this repository",
        )
    return path
