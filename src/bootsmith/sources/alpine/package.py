"""A package as an index describes it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bootsmith.errors import ArchiveError, ImageError
from bootsmith.model.digest import Digest
from bootsmith.sources.alpine.apk_version import ApkVersion
from bootsmith.sources.alpine.dependency import (
    Dependency,
    Provided,
    parse_dependencies,
    parse_provides,
)

APK_MEDIA_TYPE = "application/vnd.alpine.package"

# These two become part of an address, and of file names in the image.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_ARCH = re.compile(r"[a-z0-9_]+")

_IDENTITY = "Q1"  # a SHA-1 digest in base64
_KNOWN_CAPITALS = frozenset("CPVASITULD")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ApkPackage:
    """One build of one package; compared by identity, as an index holds each once.

    ``identity`` is the SHA-1 digest of the package's control part, the name by which apk knows
    the build.  ``fields`` is the index's paragraph by letter: the database of installed
    packages repeats it.  ``installed_size`` counts bytes, ``build_time`` seconds since 1970.
    """

    name: str
    version: ApkVersion
    arch: str
    identity: Digest
    size_bytes: int
    installed_size: int = 0
    build_time: int = 0
    origin: str = ""
    depends: tuple[Dependency, ...] = ()
    provides: tuple[Provided, ...] = ()
    install_if: tuple[Dependency, ...] = ()
    provider_priority: int = 0
    is_installable: bool = True
    fields: Mapping[str, str]

    @classmethod
    def from_paragraph(cls, text: str, *, where: str) -> ApkPackage:
        """The package that a paragraph of the index ``where`` describes.

        Raises ``ArchiveError``, naming both, when a field is missing or malformed.
        """
        fields = {line[0]: line[2:] for line in text.split("\n") if line[1:2] == ":"}
        name = fields.get("P", "")
        try:
            return cls(
                name=_package_name(name),
                version=ApkVersion.parse(fields["V"]),
                arch=_arch(fields.get("A", "")),
                identity=parse_identity(fields["C"]),
                size_bytes=_number(fields["S"]),
                installed_size=_number(fields.get("I", "0")),
                build_time=_number(fields.get("t", "0")),
                origin=fields.get("o", ""),
                depends=parse_dependencies(fields.get("D", "")),
                provides=parse_provides(fields.get("p", "")),
                install_if=parse_dependencies(fields.get("i", "")),
                provider_priority=_number(fields.get("k", "0")),
                # A capital letter says that a program which does not know it must not install
                # the package.
                is_installable=not any(
                    letter.isupper() and letter not in _KNOWN_CAPITALS for letter in fields
                ),
                fields=fields,
            )
        except KeyError as error:
            raise _malformed(name, where, f"no field {error.args[0]}") from error
        except ImageError as error:
            raise _malformed(name, where, str(error)) from error

    @property
    def filename(self) -> str:
        """Where the package lies below its repository's address."""
        return f"{self.arch}/{self.name}-{self.version}.apk"

    @property
    def full_name(self) -> str:
        """Name and version in one word, as apk prints them."""
        return f"{self.name}-{self.version}"

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def parse_identity(text: str) -> Digest:
    """The digest that apk writes as ``Q1`` and base64.  Raises ``ImageError``."""
    try:
        raw = base64.b64decode(text[len(_IDENTITY) :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageError(f"not a checksum: {text!r}") from error
    if not text.startswith(_IDENTITY):
        raise ImageError(f"not a checksum of a kind bootsmith knows: {text!r}")
    return Digest("sha1", raw.hex())


def show_identity(digest: Digest | bytes) -> str:
    """A SHA-1 digest as apk writes it."""
    raw = digest if isinstance(digest, bytes) else bytes.fromhex(digest.hex)
    return _IDENTITY + base64.b64encode(raw).decode()


def _package_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ImageError(f"not a package name: {text!r}")
    return text


def _arch(text: str) -> str:
    if not _ARCH.fullmatch(text):
        raise ImageError(f"not an architecture: {text!r}")
    return text


def _malformed(name: str, where: str, what: str) -> ArchiveError:
    return ArchiveError(
        f"the index of {where} describes the package {name!r} wrongly: {what}",
        member=name,
        hint="whoever keeps this repository has to mend it; leave the repository out until then",
    )


def _number(text: str) -> int:
    # int() would take "1_000", "+5" and digits of other scripts.
    if not (text.isascii() and text.isdigit()):
        raise ImageError(f"not a number: {text!r}")
    return int(text)
