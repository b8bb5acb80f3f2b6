"""A binary package as an index describes it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bootsmith.errors import ArchiveError, ImageError, UnsafePath
from bootsmith.model.digest import Descriptor, Digest
from bootsmith.sources.debian.control import Paragraph
from bootsmith.sources.debian.relation import Clause, Relation, parse_clauses, parse_relations
from bootsmith.sources.debian.version import Version
from bootsmith.sources.mirror import safe_filename

DEB_MEDIA_TYPE = "application/vnd.debian.binary-package"

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianPackage:
    """One version of one package in one archive.

    ``archive`` is the caller's key of the archive it is in (``debian``, ``debian-security``),
    ``suite`` the suite it was found under, and ``filename`` its path below that archive's
    mirror.
    """

    name: str
    version: Version
    architecture: str
    archive: str
    suite: str
    filename: str
    size_bytes: int
    sha256: Digest
    multi_arch: str = "no"
    essential: bool = False
    priority: str = "optional"
    section: str = ""
    source: str = ""
    pre_depends: tuple[Clause, ...] = ()
    depends: tuple[Clause, ...] = ()
    recommends: tuple[Clause, ...] = ()
    conflicts: tuple[Relation, ...] = ()
    breaks: tuple[Relation, ...] = ()
    replaces: tuple[Relation, ...] = ()
    provides: tuple[Relation, ...] = ()

    @classmethod
    def from_paragraph(cls, fields: Paragraph, *, archive: str, suite: str) -> DebianPackage:
        """The package that a paragraph of a ``Packages`` file describes.

        Raises ``ArchiveError`` when a field is missing or malformed, ``UnsafePath`` when the
        file name would leave the mirror; both name the package.
        """
        name = fields.get("Package", "")
        try:
            return cls(
                name=_package_name(name),
                version=Version.parse(fields["Version"]),
                architecture=fields["Architecture"],
                archive=archive,
                suite=suite,
                filename=safe_filename(fields["Filename"], name),
                size_bytes=_size(fields["Size"]),
                sha256=Digest.sha256(fields["SHA256"]),
                multi_arch=fields.get("Multi-Arch", "no"),
                essential=fields.get("Essential", "no") == "yes",
                priority=fields.get("Priority", "optional"),
                section=fields.get("Section", ""),
                source=fields.get("Source", name),
                pre_depends=parse_clauses(fields.get("Pre-Depends", "")),
                depends=parse_clauses(fields.get("Depends", "")),
                recommends=parse_clauses(fields.get("Recommends", "")),
                conflicts=parse_relations(fields.get("Conflicts", "")),
                breaks=parse_relations(fields.get("Breaks", "")),
                replaces=parse_relations(fields.get("Replaces", "")),
                provides=parse_relations(fields.get("Provides", "")),
            )
        except UnsafePath:
            raise
        except KeyError as error:
            raise _malformed(name, archive, suite, f"no field {error.args[0]}") from error
        except ImageError as error:
            raise _malformed(name, archive, suite, str(error)) from error

    @property
    def descriptor(self) -> Descriptor:
        """The .deb file by its digest."""
        return Descriptor(digest=self.sha256, size_bytes=self.size_bytes, media_type=DEB_MEDIA_TYPE)

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def _package_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ImageError(f"not a package name: {text!r}")
    return text


def _malformed(name: str, archive: str, suite: str, what: str) -> ArchiveError:
    return ArchiveError(
        f"the index of {archive} {suite} describes the package {name!r} wrongly: {what}",
        member=name,
        hint="whoever keeps this repository has to mend it; leave the repository out until then",
    )


def _size(text: str) -> int:
    # int() would take "1_000", "+5" and digits of other scripts.
    if not (text.isascii() and text.isdigit()):
        raise ImageError(f"not a size: {text!r}")
    return int(text)
