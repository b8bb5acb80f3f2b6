"""A compact index of a ``Packages`` file, so that only the paragraphs asked for are parsed.

A ``Packages`` file of Debian has 63,000 paragraphs in 50 MB; a solver looks at a few hundred.
The index maps names to where their paragraphs stand.  It is made in one pass over the file, is
a pure function of it, and is used in its serialised form as it lies in the store:

=================  =====================================================================
magic              ``bootsmith packages index 2`` and a line feed
three tables       by package name, by provided name, by mark (``essential``, ``required`` …)
each table         as ``sources.name_table`` has it; a row is
                   u64 offset and u32 size of the paragraph, and u32 rank of
                   the package's name among all names in the order they are first mentioned
=================  =====================================================================

All numbers are little-endian.  Rows of one name stand in the order of the file.  The
rank is what apt's choice between equally good providers of a name hangs on (it is the order in
which apt numbers packages).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from bootsmith.errors import ArchiveError
from bootsmith.model.streams import ByteSource
from bootsmith.sources.debian.control import Paragraph, parse_paragraph
from bootsmith.sources.name_table import NameTable, write_table

INDEX_MEDIA_TYPE = "application/vnd.bootsmith.debian-index"
INDEX_KIND = "debian-index-2"
"""What the store calls an index derived from a ``Packages`` file."""

_MAGIC = b"bootsmith packages index 2\n"
_ROW = struct.Struct("<QII")
assert _ROW.size == 16

_PACKAGE = b"Package: "
_PROVIDES = re.compile(rb"^Provides:((?:.*)(?:\n[ \t].*)*)", re.MULTILINE)
_PROVIDED_NAME = re.compile(rb"(?:^|,)\s*([A-Za-z0-9][A-Za-z0-9+.-]*)")
_MENTIONING = re.compile(
    rb"\n(?:P(?:ackage|re-Depends|rovides)|Depends|Conflicts|Breaks|Re(?:commends|places)"
    rb"|Suggests|Enhances): ([^\n]*)"
)
_MENTIONED = re.compile(rb"(?:^|[,|] ?)([a-z0-9][a-z0-9+.-]*)(?!:)", re.MULTILINE)
_PRIORITIES = frozenset({b"required", b"important", b"standard"})


class Place(NamedTuple):
    """Where a paragraph stands in its file, and the rank of its package's name."""

    offset: int
    size_bytes: int
    rank: int = 0


class IndexBuilder:
    """Makes an index while the ``Packages`` file passes by in chunks."""

    def __init__(self) -> None:
        self._rest = b""
        self._offset = 0  # of the rest
        self._mentioned: dict[bytes, None] = {}
        self._packages: list[tuple[bytes, Place]] = []
        self._provided: list[tuple[bytes, int]] = []  # name, and which package provides it
        self._marks: list[tuple[bytes, int]] = []

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes.  Raises ``ArchiveError`` for a paragraph that is no package."""
        data = self._rest + chunk
        end = data.rfind(b"\n\n") + 2
        if end == 1:
            self._rest = data
            return
        self._rest = data[end:]
        self._add(data[:end])

    def finish(self) -> bytes:
        """The serialised index, after the last chunk."""
        self._add(self._rest)
        ranks = {name: rank for rank, name in enumerate(self._mentioned)}
        places = [place._replace(rank=ranks.get(name, 0)) for name, place in self._packages]
        tables = (
            ((name, place) for (name, _), place in zip(self._packages, places, strict=True)),
            ((name, places[package]) for name, package in self._provided),
            ((name, places[package]) for name, package in self._marks),
        )
        return _MAGIC + b"".join(write_table(rows, _ROW) for rows in tables)

    def _add(self, paragraphs: bytes) -> None:
        mentioning = b"\n".join(_MENTIONING.findall(b"\n" + paragraphs))
        # A dict keeps the place of a key that is set again: the first mention.
        self._mentioned.update(dict.fromkeys(_MENTIONED.findall(mentioning)))
        for paragraph in paragraphs.split(b"\n\n"):
            self._add_one(paragraph)
            self._offset += len(paragraph) + 2
        self._offset -= 2  # nothing parts the last one from what follows

    def _add_one(self, paragraph: bytes) -> None:
        text = paragraph.strip(b"\n")  # more than one blank line, and the end of the file
        if not text:
            return
        offset = self._offset + paragraph.index(text)
        name = _value(text, _PACKAGE)
        if not name:
            raise ArchiveError(
                f"a paragraph of a Packages file names no package: {text[:60]!r}", offset=offset
            )
        package = len(self._packages)
        self._packages.append((name, Place(offset, len(text))))
        if b"\nProvides:" in text and (provides := _PROVIDES.search(text)):
            self._provided += [(name, package) for name in _PROVIDED_NAME.findall(provides[1])]
        if (priority := _value(text, b"Priority: ")) in _PRIORITIES:
            self._marks.append((priority, package))
        if b"\nEssential: yes" in text:
            self._marks.append((b"essential", package))


def _value(paragraph: bytes, field: bytes) -> bytes:
    """The value of a one-line field, or nothing."""
    if paragraph.startswith(field):
        start = len(field)
    else:
        found = paragraph.find(b"\n" + field)
        if found < 0:
            return b""
        start = found + 1 + len(field)
    end = paragraph.find(b"\n", start)
    return paragraph[start : end if end >= 0 else None].strip()


class PackagesIndex:
    """A ``Packages`` file seen through its index.

    Raises ``ArchiveError`` when ``index`` is not what ``IndexBuilder`` makes.
    """

    def __init__(self, index: bytes, packages: ByteSource) -> None:
        if not index.startswith(_MAGIC):
            raise ArchiveError("not an index of a Packages file")
        self._packages = packages
        try:
            self._names, end = NameTable.read(index, len(_MAGIC), _ROW)
            self._provided, end = NameTable.read(index, end, _ROW)
            self._marks, end = NameTable.read(index, end, _ROW)
        except (struct.error, ValueError) as error:
            raise ArchiveError("an index of a Packages file is damaged") from error
        if end != len(index):
            raise ArchiveError("an index of a Packages file has a wrong length", offset=end)

    def named(self, name: str) -> list[Paragraph]:
        """The packages of that name."""
        return [self._read(Place(*row)) for row in self._names.find(name.encode())]

    def providing(self, name: str) -> list[str]:
        """The names of the packages that provide that name."""
        return [self._read_name(Place(*row)) for row in self._provided.find(name.encode())]

    def marked(self, mark: str) -> list[str]:
        """The names of the packages that are ``essential``, ``required``, ``important`` or
        ``standard``."""
        return [self._read_name(Place(*row)) for row in self._marks.find(mark.encode())]

    def rank(self, name: str) -> int | None:
        """How early the name of a package in this file is first mentioned in it."""
        row = next(self._names.find(name.encode()), None)
        return None if row is None else Place(*row).rank

    def names(self) -> Iterator[str]:
        """Every package's name, sorted; a name with several versions comes several times."""
        return (name.decode("ascii", "replace") for name in self._names.names)

    def _read(self, place: Place) -> Paragraph:
        return parse_paragraph(self._packages.read_at(place.offset, place.size_bytes))

    def _read_name(self, place: Place) -> str:
        text = self._packages.read_at(place.offset, place.size_bytes)
        return _value(text, _PACKAGE).decode("ascii", "replace")
