"""A registry of images as Gondolin's host reads it: one JSON file that says what is where.

::

    {
        "schema": 1,
        "refs": {"alpine-base:latest": {"x86_64": "<build id>"}},
        "builds": {"<build id>": {"url": "base.tar.gz", "sha256": "…", "arch": "x86_64"}},
    }

Addresses are relative to the registry's own.  ``sha256`` and ``arch`` may be missing: the build
id follows from the files, so it says what they must be.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bootsmith.errors import BootsmithError, ImageError, ImageNotFound, PlatformNotFound
from bootsmith.library.names import similar_names
from bootsmith.library.reference import Reference, is_build_id
from bootsmith.model.arch import Arch
from bootsmith.model.digest import Digest

_SCHEMA = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An image that can be had: an archive at ``url``, which ``digest`` is of, if known."""

    build_id: str
    url: str
    digest: Digest | None = None
    arch: Arch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """What the registry at ``url`` offers."""

    url: str
    names: Mapping[str, Mapping[Arch, str]]
    offers: Mapping[str, Offer]

    def find(self, text: str, *, arch: Arch | None, host: Arch) -> tuple[Offer, Reference | None]:
        """The image called ``text``, a name or a build id, and the name it has.

        Raises ``ImageNotFound`` or ``PlatformNotFound``.
        """
        if is_build_id(text):
            if text not in self.offers:
                raise self._not_found(text, ())
            return self.offers[text], None
        reference = Reference.parse(text)
        by_arch = self.names.get(str(reference))
        if by_arch is None:
            raise self._not_found(str(reference), similar_names(text, self.names))
        wanted = arch or (host if host in by_arch else None)
        if wanted is None and len(by_arch) == 1:
            (wanted,) = by_arch
        if wanted is None or wanted not in by_arch:
            has = ", ".join(str(one) for one in by_arch) or "nothing"
            raise PlatformNotFound(
                f"{self.url} has {reference} for {has}, not for {wanted or host}",
                hint="name another architecture with --arch",
            )
        return replace(self.offers[by_arch[wanted]], arch=wanted), reference

    def _not_found(self, text: str, similar: tuple[str, ...]) -> ImageNotFound:
        return ImageNotFound(
            f"{self.url} has no image called {text}",
            selector=text,
            similar=similar,
            hint=f"did you mean {' or '.join(similar)}?" if similar else None,
        )


def parse_registry(data: bytes, *, url: str) -> Registry:
    """The registry in ``data``, which came from ``url``.

    Raises ``ImageError`` that names the field which is wrong.
    """
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{url} is not JSON: {error}") from error
    if not isinstance(fields, dict) or fields.get("schema") != _SCHEMA:
        found = fields.get("schema") if isinstance(fields, dict) else None
        raise ImageError(f"{url} is no registry of images: schema is {found!r}, not {_SCHEMA}")
    try:
        offers = {
            key: _offer(key, value, url=url) for key, value in _object(fields, "builds").items()
        }
        names = {
            key: _by_arch(key, value, offers) for key, value in _object(fields, "refs").items()
        }
    except BootsmithError as error:
        raise ImageError(f"{url} is wrong: {error}", hint="tell whoever keeps it") from error
    return Registry(url=url, names=names, offers=offers)


def _offer(build_id: str, value: object, *, url: str) -> Offer:
    where = f"builds[{build_id!r}]"
    if not is_build_id(build_id):
        raise ImageError(f"{where}: that is no build id")
    fields = _checked(where, value)
    digest, arch = fields.get("sha256"), fields.get("arch")
    if digest is not None and not (isinstance(digest, str) and _SHA256.fullmatch(digest)):
        raise ImageError(f"{where}.sha256 is {digest!r}, not 64 hexadecimal digits")
    return Offer(
        build_id=build_id,
        url=_address(where, fields.get("url"), base=url),
        digest=Digest.sha256(digest) if digest else None,
        arch=Arch.parse(str(arch)) if arch is not None else None,
    )


def _address(where: str, text: object, *, base: str) -> str:
    if not isinstance(text, str) or not text:
        raise ImageError(f"{where}.url is missing")
    url = urllib.parse.urljoin(base, text)
    scheme = urllib.parse.urlsplit(url).scheme
    # A registry on a server must not make us read this machine's files.
    allowed = {"http", "https", *({"file"} if base.startswith("file:") else ())}
    if scheme not in allowed:
        raise ImageError(f"{where}.url is {text!r}: only {' and '.join(sorted(allowed))} are read")
    return url


def _by_arch(name: str, value: object, offers: Mapping[str, Offer]) -> dict[Arch, str]:
    where = f"refs[{name!r}]"
    if str(Reference.parse(name)) != name:
        raise ImageError(f"{where}: the tag is missing")
    found = {}
    for key, build_id in sorted(_checked(where, value).items()):
        arch = Arch.parse(key)
        offer = offers.get(build_id) if isinstance(build_id, str) else None
        if offer is None:
            raise ImageError(f"{where}.{key} is {build_id!r}, which builds does not have")
        if offer.arch not in (None, arch):
            raise ImageError(f"{where}.{key} is a build for {offer.arch}")
        found[arch] = offer.build_id
    return found


def _object(fields: Mapping[str, Any], key: str) -> dict[str, Any]:
    return _checked(key, fields.get(key))


def _checked(where: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ImageError(f"{where} is missing or no object")
    return value
