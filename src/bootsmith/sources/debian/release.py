"""``Release``: what a suite says of itself, and the digests of its indexes.

Format: the Debian wiki's "DebianRepository/Format", section "Release files".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

from bootsmith.errors import ArchiveError, ImageError
from bootsmith.model.digest import Descriptor, Digest
from bootsmith.sources.debian.control import Paragraph, parse_paragraph


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A suite at one moment.

    ``files`` maps a path below the suite to what it must be.  ``all_is_apart`` tells that
    packages for every architecture stand in an index of their own.
    """

    origin: str
    label: str
    suite: str
    codename: str
    version: str
    date: datetime
    valid_until: datetime | None
    architectures: tuple[str, ...]
    components: tuple[str, ...]
    acquire_by_hash: bool
    not_automatic: bool
    but_automatic_upgrades: bool
    all_is_apart: bool
    files: dict[str, Descriptor]

    @classmethod
    def parse(cls, text: bytes) -> Release:
        """The release written as ``text`` (the signed text, not the signature around it).

        Raises ``ArchiveError`` when it is malformed or holds no SHA-256 digests.
        """
        fields = parse_paragraph(text)
        if "Date" not in fields or "SHA256" not in fields:
            raise ArchiveError("not a Release file: it has no Date or no SHA256 table")
        return cls(
            origin=fields.get("Origin", ""),
            label=fields.get("Label", ""),
            suite=fields.get("Suite", ""),
            codename=fields.get("Codename", ""),
            version=fields.get("Version", ""),
            date=_time(fields["Date"]),
            valid_until=_time(fields["Valid-Until"]) if "Valid-Until" in fields else None,
            architectures=tuple(fields.get("Architectures", "").split()),
            components=tuple(fields.get("Components", "").split()),
            acquire_by_hash=_yes(fields, "Acquire-By-Hash"),
            not_automatic=_yes(fields, "NotAutomatic"),
            but_automatic_upgrades=_yes(fields, "ButAutomaticUpgrades"),
            # "No-Support-for-Architecture-all: Packages": each architecture's index has them.
            all_is_apart="all" in fields.get("Architectures", "").split()
            and "Packages" not in fields.get("No-Support-for-Architecture-all", "").split(),
            files=_digest_table(fields["SHA256"]),
        )

    @property
    def pin(self) -> int:
        """apt's default priority for packages of this release (apt_preferences(5))."""
        if not self.not_automatic:
            return 500
        return 100 if self.but_automatic_upgrades else 1

    def is_named(self, suite: str) -> bool:
        """Whether ``suite`` names this release, by suite or codename.

        The security archive's ``bookworm-security`` and the older ``buster/updates`` are the
        names of a path; so is ``suite/`` of a repository without suites.
        """
        wanted = suite.strip("/")
        names = {self.suite, self.codename} - {""}
        return wanted in names or wanted.removesuffix("/updates") in names


def _yes(fields: Paragraph, name: str) -> bool:
    return fields.get(name, "no").lower() == "yes"


def _time(text: str) -> datetime:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError as error:
        raise ArchiveError(f"not a date of a Release file: {text!r}") from error
    if moment.tzinfo is None:
        raise ArchiveError(f"a date of a Release file names no time zone: {text!r}")
    return moment


def _digest_table(text: str) -> dict[str, Descriptor]:
    table: dict[str, Descriptor] = {}
    for line in text.split("\n"):
        words = line.split()
        if not words:
            continue
        try:
            hexadecimal, size, path = words
            descriptor = Descriptor(digest=Digest.sha256(hexadecimal), size_bytes=int(size))
        except (ValueError, ImageError) as error:
            raise ArchiveError(f"malformed digest line in a Release file: {line!r}") from error
        if table.setdefault(path, descriptor) != descriptor:
            raise ArchiveError(f"a Release file gives two digests for {path}")
    return table
