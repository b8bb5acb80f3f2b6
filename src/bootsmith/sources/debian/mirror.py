"""Which mirror of an archive to ask.

A mirror is a way to get bytes, not an input: it stands in no id and in no image, and whatever
comes from it is checked against digests that the archive signed.  So the nearest one may be
taken: the user's, the environment's, the one this machine's apt uses, or the public one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from bootsmith.errors import ConfigError, Problem
from bootsmith.sources.debian.apt_sources import AptSource
from bootsmith.sources.debian.openpgp import unwrapped

DEBIAN = "debian"
DEBIAN_SECURITY = "debian-security"
"""The keys of Debian's two archives, which packages and locks carry."""

PUBLIC_MIRRORS = {
    DEBIAN: "http://ftp.debian.org/debian",
    DEBIAN_SECURITY: "http://security.debian.org/debian-security",
}
ENVIRONMENT = {
    DEBIAN: "BOOTSMITH_DEBIAN_MIRROR",
    DEBIAN_SECURITY: "BOOTSMITH_DEBIAN_SECURITY_MIRROR",
}

_ORIGIN = re.compile(rb"^Origin:[ \t]*Debian[ \t]*\r?$", re.MULTILINE)

Probe: TypeAlias = Callable[[str], bytes | None]
"""Gets a small file by its URL, or ``None`` when it cannot be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """The address of an archive, without a slash at its end, and who named it."""

    url: str
    named_by: str


def choose_mirror(
    archive: str,
    suite: str,
    *,
    configured: str | None,
    environment: Mapping[str, str],
    apt_sources: Iterable[AptSource],
    probe: Probe,
) -> Mirror:
    """The mirror to ask for ``suite`` of ``archive`` (``debian`` or ``debian-security``).

    A mirror that the user names is taken as it is; one of this machine's apt only when it
    answers for ``suite`` with a release whose origin is Debian.  (Whether that is true, the
    signature shows later.)  Raises ``ConfigError`` for a mirror that is no URL.
    """
    if configured:
        return Mirror(url=_checked(configured, "mirror"), named_by="the config")
    variable = ENVIRONMENT[archive]
    if named := environment.get(variable):
        return Mirror(url=_checked(named, variable), named_by=f"the variable {variable}")
    for url in _candidates(archive, apt_sources):
        release = probe(f"{url}/dists/{suite}/InRelease")
        if release is not None and _ORIGIN.search(unwrapped(release)):
            return Mirror(url=url, named_by="this machine's apt configuration")
    return Mirror(url=PUBLIC_MIRRORS[archive], named_by="bootsmith's default")


def _candidates(archive: str, apt_sources: Iterable[AptSource]) -> Iterator[str]:
    """The addresses in apt's configuration that may be ``archive``, each once."""
    seen: set[str] = set()
    for source in apt_sources:
        url = source.uri.rstrip("/")
        if (
            _is_url(url)
            and url not in seen
            and _is_security(source.suite) == (archive == DEBIAN_SECURITY)
        ):
            seen.add(url)
            yield url


def _is_security(suite: str) -> bool:
    return suite.strip("/").endswith(("-security", "/updates"))


def _checked(url: str, pointer: str) -> str:
    if not _is_url(url):
        raise ConfigError(
            f"not the address of a mirror: {url!r}",
            problems=(
                Problem(
                    pointer=pointer,
                    message=f"{url!r} is not an http, https or file URL",
                    suggestion=f"write it like {PUBLIC_MIRRORS[DEBIAN]}",
                ),
            ),
        )
    return url.rstrip("/")


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.query or parts.fragment or not url.isprintable() or " " in url:
        return False
    return (parts.scheme in ("http", "https") and bool(parts.netloc)) or (
        parts.scheme == "file" and parts.path.startswith("/")
    )
