"""A compact index of a ``Packages`` file, so that only the paragraphs asked for are parsed.

A ``Packages`` file of Debian has 63,000 paragraphs in 50 MB; a solver looks at a few hundred.
The index maps names to where their paragraphs stand.  It is made in one pass over the file, is
a pure function of it, and is used in its serialised form as it lies in the store:

=================  =====================================================================
magic              ``bootsmith packages index 2`` and a line feed
three tables       by package name, by provided name, by mark (``essential``, ``required`` …)
each table         u32 rows, u32 bytes of names; the names, sorted, parted by line feeds;
                   for each row u64 offset and u32 size of the paragraph, and u32 rank of
                   the package's name among all names in the order they are first mentioned
=================  =====================================================================

All numbers are little-endian.  Rows of one name stand in the order of the file.  The
rank is what apt's choice between equally good providers of a name hangs on (it is the order in
which apt numbers packages).
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bootsmith.errors import ArchiveError
from bootsmith.model.streams import ByteSource
from bootsmith.sources.debian.control import Paragraph, parse_paragraph

INDEX_MEDIA_TYPE = "application/vnd.bootsmith.debian-index"
INDEX_KIND = "debian-index-2"
"""What the store calls an index derived from a ``Packages`` file."""

_MAGIC = b"bootsmith packages index 2\n"
_TABLE_HEAD = struct.Struct("<II")
_ROW = struct.Struct("<QII")
assert _TABLE_HEAD.size == 8
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
        return _MAGIC + b"".join(map(_table, tables))

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


def _table(unsorted: Iterable[tuple[bytes, Place]]) -> bytes:
    rows = sorted(unsorted)
    names = b"\n".join(name for name, _ in rows)
    places = b"".join(_ROW.pack(*place) for _, place in rows)
    return _TABLE_HEAD.pack(len(rows), len(names)) + names + places


class PackagesIndex:
    """A ``Packages`` file seen through its index.

    Raises ``ArchiveError`` when ``index`` is not what ``IndexBuilder`` makes.
    """

    def __init__(self, index: bytes, packages: ByteSource) -> None:
        if not index.startswith(_MAGIC):
            raise ArchiveError("not an index of a Packages file")
        self._packages = packages
        try:
            self._names, end = _read_table(index, len(_MAGIC))
            self._provided, end = _read_table(index, end)
            self._marks, end = _read_table(index, end)
        except (struct.error, ValueError) as error:
            raise ArchiveError("an index of a Packages file is damaged") from error
        if end != len(index):
            raise ArchiveError("an index of a Packages file has a wrong length", offset=end)

    def named(self, name: str) -> list[Paragraph]:
        """The packages of that name."""
        return [self._read(place) for place in self._names.places(name.encode())]

    def providing(self, name: str) -> list[str]:
        """The names of the packages that provide that name."""
        return [self._read_name(place) for place in self._provided.places(name.encode())]

    def marked(self, mark: str) -> list[str]:
        """The names of the packages that are ``essential``, ``required``, ``important`` or
        ``standard``."""
        return [self._read_name(place) for place in self._marks.places(mark.encode())]

    def rank(self, name: str) -> int | None:
        """How early the name of a package in this file is first mentioned in it."""
        place = next(self._names.places(name.encode()), None)
        return None if place is None else place.rank

    def names(self) -> Iterator[str]:
        """Every package's name, sorted; a name with several versions comes several times."""
        return (name.decode("ascii", "replace") for name in self._names.names)

    def _read(self, place: Place) -> Paragraph:
        return parse_paragraph(self._packages.read_at(place.offset, place.size_bytes))

    def _read_name(self, place: Place) -> str:
        text = self._packages.read_at(place.offset, place.size_bytes)
        return _value(text, _PACKAGE).decode("ascii", "replace")


class _Table(NamedTuple):
    names: list[bytes]
    rows: memoryview

    def places(self, name: bytes) -> Iterator[Place]:
        at = bisect_left(self.names, name)
        while at < len(self.names) and self.names[at] == name:
            yield Place(*_ROW.unpack_from(self.rows, at * _ROW.size))
            at += 1


def _read_table(index: bytes, start: int) -> tuple[_Table, int]:
    count, names_size = _TABLE_HEAD.unpack_from(index, start)
    names_at = start + _TABLE_HEAD.size
    rows_at = names_at + names_size
    end = rows_at + count * _ROW.size
    names = index[names_at:rows_at].split(b"\n") if count else []
    if len(names) != count or end > len(index):
        raise ValueError("rows are missing")
    return _Table(names, memoryview(index)[rows_at:end]), end
