"""Binary packages: what a ``.deb`` file says and holds (deb(5), deb-control(5)).

A package is an ar archive of three members: the format's version, a small tar of control
files, and the tar of the files to install.  The first two are read at once; the third is only
told where it is, to be decompressed once into a blob.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bootsmith.errors import ArchiveError, ImageError
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import GuestPath
from bootsmith.model.streams import ByteSource, BytesSource, chunks
from bootsmith.sources.debian.ar import ArMember, read_ar
from bootsmith.sources.debian.control import Paragraph, parse_paragraph
from bootsmith.sources.debian.relation import Relation, parse_relations
from bootsmith.sources.debian.version import Version
from bootsmith.sources.inflate import SUFFIXES, inflated
from bootsmith.tree.entry import BlobSlice, RegularFile, runs
from bootsmith.tree.tar_reader import read_tar

_CONTROL_MAX_BYTES = 64 << 20
_VERSION_MAX_BYTES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlFile:
    """A file of the control archive besides ``control``: a script, ``md5sums``, ``triggers`` …

    ``mode`` holds permission bits.
    """

    content: bytes
    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlArchive:
    """What a package says about itself.

    ``text`` is the control file as it stands and ``fields`` the same taken apart; ``files``
    are all others, by name, sorted.
    """

    text: bytes
    fields: Paragraph
    files: Mapping[str, ControlFile]

    @property
    def name(self) -> str:
        return self.fields["Package"]

    @property
    def version(self) -> Version:
        return Version.parse(self.fields["Version"])

    @property
    def architecture(self) -> str:
        return self.fields["Architecture"]

    @property
    def is_multi_arch_same(self) -> bool:
        """Whether it may be installed for several architectures side by side."""
        return self.fields.get("Multi-Arch") == "same"

    @property
    def replaces(self) -> tuple[Relation, ...]:
        return parse_relations(self.fields.get("Replaces", ""))

    def lines(self, name: str) -> tuple[str, ...]:
        """The lines of a control file, without the empty ones; none when it is not there."""
        file = self.files.get(name)
        text = file.content.decode("utf-8", "surrogateescape") if file else ""
        return tuple(line for line in text.splitlines() if line.strip())

    @property
    def conffiles(self) -> tuple[GuestPath, ...]:
        """The files an administrator may change, without those marked as to be removed."""
        found = [line.split() for line in self.lines("conffiles")]
        return tuple(
            GuestPath(words[-1].lstrip("/").encode("utf-8", "surrogateescape"))
            for words in found
            if words[0] != "remove-on-upgrade"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DataArchive:
    """Where in the ``.deb`` the tar of files is; ``suffix`` names its compression (``.xz``)."""

    offset: int
    size_bytes: int
    suffix: str

    def chunks(self, source: ByteSource) -> Iterator[bytes]:
        """The uncompressed tar; ``source`` is the package.  Raises ``ArchiveError``."""
        return inflated(chunks(source, self.offset, self.size_bytes), self.suffix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb:
    """An opened package."""

    control: ControlArchive
    data: DataArchive


def open_deb(source: ByteSource) -> Deb:
    """Read a package's control archive, and find its data.

    Raises ``ArchiveError`` for what is no package of format 2, damaged, or cut off.
    """
    members = [member for member in read_ar(source) if not member.name.startswith("_")]
    names = [member.name for member in members]
    if len(members) < 3 or names[0] != "debian-binary":
        raise ArchiveError(
            f"not a Debian package: it holds {', '.join(names) or 'nothing'}",
            hint="fetch it again",
        )
    format_version = source.read_at(
        members[0].offset, min(members[0].size_bytes, _VERSION_MAX_BYTES)
    )
    if not format_version.startswith(b"2."):
        raise ArchiveError(
            f"a Debian package of a format nobody knows: {format_version[:16]!r}",
            member="debian-binary",
        )
    control, data = members[1], members[2]
    return Deb(
        control=_control(source, control, _suffix(control, "control.tar")),
        data=DataArchive(
            offset=data.offset,
            size_bytes=data.size_bytes,
            suffix=_suffix(data, "data.tar"),
        ),
    )


def check_identity(control: ControlArchive, *, name: str, version: str, architecture: str) -> None:
    """See that a package is the one that was asked for.  Raises ``ArchiveError``."""
    found = (control.name, str(control.version), control.architecture)
    wanted = (name, version, architecture)
    if found != wanted:
        raise ArchiveError(
            f"the package {' '.join(wanted)} says of itself that it is {' '.join(found)}",
            member=name,
            hint="do not use this repository",
        )


def _suffix(member: ArMember, stem: str) -> str:
    suffix = member.name.removeprefix(stem)
    if not member.name.startswith(stem) or suffix not in SUFFIXES:
        raise ArchiveError(
            f"a Debian package has {member.name} where {stem} should be", member=member.name
        )
    return suffix


def _control(source: ByteSource, member: ArMember, suffix: str) -> ControlArchive:
    tar = _small(inflated(chunks(source, member.offset, member.size_bytes), suffix))
    files = {}
    for path, entry in read_tar(BytesSource(tar), blob=Digest.of(tar)):
        if isinstance(entry, RegularFile):
            name = path.decode("utf-8", "surrogateescape")
            files[name] = ControlFile(content=_content(entry, tar), mode=entry.metadata.mode)
    own = files.pop("control", None)
    if own is None:
        raise ArchiveError("a Debian package has no control file", member=member.name)
    fields = parse_paragraph(own.content)
    for required in ("Package", "Version", "Architecture"):
        if required not in fields:
            raise ArchiveError(
                f"a Debian package's control file has no field {required}", member="control"
            )
    try:
        Version.parse(fields["Version"])
    except ImageError as error:
        raise ArchiveError(str(error), member="control") from error
    return ControlArchive(text=own.content, fields=fields, files=dict(sorted(files.items())))


def _small(data: Iterator[bytes]) -> bytes:
    found = bytearray()
    for chunk in data:
        found += chunk
        if len(found) > _CONTROL_MAX_BYTES:
            raise ArchiveError("the control archive of a Debian package is absurdly large")
    return bytes(found)


def _content(entry: RegularFile, tar: bytes) -> bytes:
    found = bytearray(entry.content.size_bytes)
    for offset, data in runs(entry.content):
        if isinstance(data, BlobSlice):
            end = data.offset + data.size_bytes
            found[offset : offset + data.size_bytes] = tar[data.offset : end]
    return bytes(found)
