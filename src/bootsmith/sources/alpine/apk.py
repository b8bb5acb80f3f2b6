"""Package files: what an ``.apk`` says and holds (apk-v2(5)).

Three gzip members: signatures, control files, and the files to install.  The index names the
second by its SHA-1 digest, and the second names the third by its SHA-256 digest, so a package is
believed because its index was signed.  The members before the last are read at once; the last
is decompressed into a blob while its digest is checked, and is no blob if that is wrong.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from bootsmith.errors import ArchiveError, IntegrityError
from bootsmith.model.digest import Digest
from bootsmith.model.streams import ByteSource, chunks
from bootsmith.sources.alpine.apk_version import ApkVersion
from bootsmith.sources.alpine.dependency import Dependency, parse_dependencies
from bootsmith.sources.alpine.gzip_members import GzipMember, inflated_member, read_member
from bootsmith.sources.alpine.metadata_tar import read_files
from bootsmith.sources.alpine.package import ApkPackage

SCRIPTS = (
    "pre-install",
    "post-install",
    "pre-deinstall",
    "post-deinstall",
    "pre-upgrade",
    "post-upgrade",
    "trigger",
)
"""The kinds of scripts, in the order in which apk's own archive of them has them."""

_CONTROL_MOST_BYTES = 64 << 20
_UNCHECKED_MOST_BYTES = 64 << 20
_INFO = ".PKGINFO"
_SIGNATURE = ".SIGN."
_ADB = b"ADB"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What a package says about itself.

    ``values`` are the lines of ``.PKGINFO`` by key, a list for each since many may repeat;
    ``scripts`` are by kind.
    """

    values: Mapping[str, tuple[str, ...]]
    scripts: Mapping[str, bytes]

    @property
    def name(self) -> str:
        return self._one("pkgname")

    @property
    def version(self) -> ApkVersion:
        return ApkVersion.parse(self._one("pkgver"))

    @property
    def replaces(self) -> tuple[Dependency, ...]:
        """The packages whose files this one may take over."""
        return tuple(
            one for text in self.values.get("replaces", ()) for one in parse_dependencies(text)
        )

    @property
    def replaces_priority(self) -> int:
        """Between two packages that replace each other the higher one keeps the file."""
        text = self._one("replaces_priority", "0")
        if not (text.isascii() and text.isdigit()):
            raise ArchiveError(f"replaces_priority is no number: {text!r}")
        return int(text)

    @property
    def triggers(self) -> tuple[str, ...]:
        """Patterns of directories; a change in one of them runs the trigger script."""
        return tuple(self.values.get("triggers", ("",))[-1].split())

    @property
    def data_digest(self) -> Digest:
        """The digest of the last member, as the package has it.  Raises ``ArchiveError``."""
        text = self._one("datahash", "")
        if not _SHA256.fullmatch(text):
            raise ArchiveError(
                "it does not say what its files are (datahash)",
                hint="packages as old as that are not trusted: have it built anew",
            )
        return Digest.sha256(text)

    def _one(self, key: str, default: str | None = None) -> str:
        found = self.values.get(key)
        if found:
            return found[-1]
        if default is None:
            raise ArchiveError(f"{_INFO} has no {key}", member=_INFO)
        return default


@dataclass(frozen=True, slots=True, kw_only=True)
class Apk:
    """An opened package.  ``identity`` is the SHA-1 digest of its control member, and
    ``data_offset`` where the last member begins."""

    control: Control
    identity: Digest
    data_offset: int

    def check_data(self, source: ByteSource) -> None:
        """Raises ``IntegrityError`` when the last member is not what the control part names.

        ``source`` is the package.  What the digest is of are the compressed bytes.
        """
        hashed = hashlib.sha256()
        for chunk in chunks(source, self.data_offset, source.size_bytes - self.data_offset):
            hashed.update(chunk)
        expected, actual = self.control.data_digest, Digest.sha256(hashed.hexdigest())
        if actual != expected:
            raise IntegrityError(
                "its files are not those its control part names",
                expected=str(expected),
                actual=str(actual),
                hint="the mirror is damaged: fetch the package from another one",
            )

    def data_chunks(self, source: ByteSource, *, checked: Future[None]) -> Iterator[bytes]:
        """The uncompressed tar of files; ``checked`` comes from a ``check_data`` under way.

        Ends only once that has, and raises what it raises, else ``ArchiveError`` for data that is
        damaged.  Until then there are at most 64 MiB: a mirror's bomb does not go off.
        """
        inflated_bytes = 0
        try:
            for chunk in inflated_member(source, self.data_offset):
                inflated_bytes += len(chunk)
                if inflated_bytes > _UNCHECKED_MOST_BYTES:
                    checked.result()
                yield chunk
        except ArchiveError:
            checked.result()  # that it is another file tells more than where it is damaged
            raise
        checked.result()


def open_apk(source: ByteSource) -> Apk:
    """Read a package's control files, and find its data.

    Raises ``ArchiveError`` for what is no package of format 2, damaged, or cut off.
    """
    if source.read_at(0, len(_ADB)) == _ADB:
        raise ArchiveError(
            "a package of format 3 (ADB), which bootsmith cannot read",
            offset=0,
            hint="use a repository whose packages are of format 2, as Alpine's own are",
        )
    member = read_member(source, 0, most_bytes=_CONTROL_MOST_BYTES)
    files = read_files(member.data)
    while files and all(file.name.startswith(_SIGNATURE) for file in files):
        member = read_member(source, member.end, most_bytes=_CONTROL_MOST_BYTES)
        files = read_files(member.data)
    content = {file.name: file.content for file in files}
    if _INFO not in content:
        raise ArchiveError(f"there is no {_INFO} where it should be", offset=member.offset)
    return Apk(
        control=Control(
            values=_parse_info(content[_INFO]),
            scripts={kind: content[f".{kind}"] for kind in SCRIPTS if f".{kind}" in content},
        ),
        identity=_sha1(source, member),
        data_offset=member.end,
    )


def check_identity(apk: Apk, package: ApkPackage) -> None:
    """Raises ``IntegrityError`` when ``apk`` is not the package that the index describes."""
    says = f"{apk.control.name} {apk.control.version}"
    if apk.identity != package.identity or says != str(package):
        raise IntegrityError(
            "its file is another than its index names",
            expected=f"{package}, {package.identity}",
            actual=f"{says}, {apk.identity}",
            hint="the mirror is damaged or in the middle of an update: try another one, or later",
        )


def _parse_info(text: bytes) -> Mapping[str, tuple[str, ...]]:
    values: dict[str, tuple[str, ...]] = {}
    for line in text.decode("utf-8", "surrogateescape").split("\n"):
        key, equals, value = line.partition(" = ")
        if equals and not line.startswith("#"):
            values[key] = (*values.get(key, ()), value)
    return values


def _sha1(source: ByteSource, member: GzipMember) -> Digest:
    digest = hashlib.sha1(usedforsecurity=False)
    for chunk in chunks(source, member.offset, member.size_bytes):
        digest.update(chunk)
    return Digest("sha1", digest.hexdigest())
