"""Which mirror of an archive to ask.

A mirror is a way to get bytes, not an input: it stands in no id and in no image, and whatever
comes from it is checked against digests that the archive signed.  So the nearest one may be
taken: the user's, the environment's, the one this machine's apt uses, or the public one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from bootsmith.errors import FetchError, ImageError
from bootsmith.sources.debian.apt_sources import AptSource
from bootsmith.sources.debian.openpgp import unwrapped
from bootsmith.sources.mirror import Mirror, checked_address, is_address

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

SUITES = (
    "bookworm", "bullseye", "buster", "experimental", "forky", "oldoldstable", "oldstable", "sid",
    "stable", "testing", "trixie", "unstable",
)  # fmt: skip
"""Names that suites of Debian have or had lately, to tell what a misspelt one means."""

_ORIGIN = re.compile(rb"^Origin:[ \t]*Debian[ \t]*\r?$", re.MULTILINE)

Probe: TypeAlias = Callable[[str], bytes]
"""Gets a small file by its URL.  Raises ``ImageError`` when it cannot be had."""

_NOT_FOUND = 404


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
    without_suite = []
    for url in _candidates(archive, apt_sources):
        try:
            release = probe(f"{url}/dists/{suite}/InRelease")
        except ImageError as error:
            if isinstance(error, FetchError) and error.status == _NOT_FOUND:
                without_suite.append(f"{url} has no suite {suite}")
            continue
        if _ORIGIN.search(unwrapped(release)):
            return Mirror(url=url, named_by="this machine's apt configuration")
    return Mirror(
        url=PUBLIC_MIRRORS[archive],
        named_by="bootsmith's default",
        passed_over=tuple(without_suite),
    )


def _candidates(archive: str, apt_sources: Iterable[AptSource]) -> Iterator[str]:
    """The addresses in apt's configuration that may be ``archive``, each once."""
    seen: set[str] = set()
    for source in apt_sources:
        url = source.uri.rstrip("/")
        if (
            is_address(url)
            and url not in seen
            and _is_security(source.suite) == (archive == DEBIAN_SECURITY)
        ):
            seen.add(url)
            yield url


def _is_security(suite: str) -> bool:
    return suite.strip("/").endswith(("-security", "/updates"))


def _checked(url: str, pointer: str) -> str:
    return checked_address(url, pointer=pointer, example=PUBLIC_MIRRORS[DEBIAN])
