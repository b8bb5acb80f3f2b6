"""Where Alpine's repositories are, and which of them are wanted.

A mirror is a way to get bytes, not an input: it stands in no id, and the image's own
``/etc/apk/repositories`` names the public one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bootsmith.errors import ConfigError, Problem
from bootsmith.sources.mirror import Mirror, checked_address

ALPINE = "alpine"
"""The key of Alpine's own mirror network, which packages and locks carry."""

PUBLIC_MIRROR = "https://dl-cdn.alpinelinux.org/alpine"
ENVIRONMENT = "BOOTSMITH_ALPINE_MIRROR"

_VERSION = re.compile(r"v?(?P<series>[0-9]+\.[0-9]+)(?:[._-].*)?")
_TAGGED = re.compile(r"@(?P<tag>[^\s@<>=~]+)\s+(?P<rest>\S+)")
_PATH = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository: ``path`` below the mirror ``mirror``, which is ``ALPINE`` or an address.

    Packages of a tagged repository are taken only where the world asks for them by the tag.
    """

    mirror: str
    path: str = ""
    tag: str | None = None

    @property
    def url(self) -> str:
        """The public address."""
        base = PUBLIC_MIRROR if self.mirror == ALPINE else self.mirror
        return f"{base}/{self.path}" if self.path else base

    def below(self, filename: str) -> str:
        """The path below the mirror of a file of this repository."""
        return f"{self.path}/{filename}" if self.path else filename

    def __str__(self) -> str:
        """As a line of ``/etc/apk/repositories``."""
        return f"@{self.tag} {self.url}" if self.tag else self.url


def branch_of(version: str) -> str:
    """The branch of a version as users write it: ``v3.23`` for ``3.23.0``; ``edge`` as it is.

    Raises ``ConfigError`` for what is no version.
    """
    if version in ("edge", "latest-stable"):
        return version
    found = _VERSION.fullmatch(version)
    if found is None:
        raise _config_error("alpine.version", version, "is no version of Alpine", "3.23 or edge")
    return f"v{found['series']}"


def parse_repository(text: str, *, branch: str) -> Repository:
    """The repository that ``text`` names: ``main``, ``edge/testing``, or an address.

    ``main`` and its like are of ``branch``; ``@tag`` and a blank may stand before it, as in
    ``/etc/apk/repositories``.  Raises ``ConfigError`` for any other text.
    """
    tagged = _TAGGED.fullmatch(text.strip())
    tag, rest = (tagged["tag"], tagged["rest"]) if tagged else (None, text.strip())
    if "://" in rest:
        return Repository(mirror=_checked(rest, "alpine.repositories"), tag=tag)
    if not _PATH.fullmatch(rest) or {".", ".."} & set(rest.split("/")):
        raise _config_error(
            "alpine.repositories", text, "names no repository", "main, edge/testing or an address"
        )
    path = rest if "/" in rest else f"{branch}/{rest}"
    return Repository(mirror=ALPINE, path=path, tag=tag)


def choose_mirror(*, configured: str | None, environment: Mapping[str, str]) -> Mirror:
    """The mirror to ask for Alpine's own repositories.  Raises ``ConfigError``."""
    if configured:
        return Mirror(url=_checked(configured, "alpine.mirror"), named_by="the config")
    if named := environment.get(ENVIRONMENT):
        return Mirror(url=_checked(named, ENVIRONMENT), named_by=f"the variable {ENVIRONMENT}")
    return Mirror(url=PUBLIC_MIRROR, named_by="bootsmith's default")


def _checked(url: str, pointer: str) -> str:
    return checked_address(url, pointer=pointer, example=PUBLIC_MIRROR)


def _config_error(pointer: str, found: str, what: str, allowed: str) -> ConfigError:
    problem = Problem(pointer=pointer, message=f"{found!r} {what}", suggestion=f"write {allowed}")
    return ConfigError(f"{found!r} {what}", problems=(problem,))
