"""A compact index of a ``Packages`` file, so that only the paragraphs asked for are parsed.

A ``Packages`` file of Debian has 63,000 paragraphs in 50 MB; a solver looks at a few hundred.
The index maps names to where their paragraphs stand.  It is made in one pass over the file, is
a pure function of it, and is used in its serialised form as it lies in the store:

=================  =====================================================================
magic              ``bootsmith packages index 1`` and a line feed
three tables       by package name, by provided name, by mark (``essential``, ``required`` …)
each table         u32 rows, u32 bytes of names; the names, sorted, parted by line feeds;
                   for each row u64 offset and u32 size of the paragraph
=================  =====================================================================

All numbers are little-endian.  Rows of one name stand in the order of the file.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from bootsmith.errors import ArchiveError
from bootsmith.model.streams import ByteSource
from bootsmith.sources.debian.control import Paragraph, parse_paragraph

INDEX_MEDIA_TYPE = "application/vnd.bootsmith.debian-index"
INDEX_KIND = "debian-index-1"
"""What the store calls an index derived from a ``Packages`` file."""

_MAGIC = b"bootsmith packages index 1\n"
_TABLE_HEAD = struct.Struct("<II")
_ROW = struct.Struct("<QI")
assert _TABLE_HEAD.size == 8
assert _ROW.size == 12

_PACKAGE = b"Package: "
_PROVIDES = re.compile(rb"^Provides:((?:.*)(?:\n[ \t].*)*)", re.MULTILINE)
_PROVIDED_NAME = re.compile(rb"(?:^|,)\s*([A-Za-z0-9][A-Za-z0-9+.-]*)")
_PRIORITIES = frozenset({b"required", b"important", b"standard"})


class Place(NamedTuple):
    """Where a paragraph stands in its file."""

    offset: int
    size_bytes: int


class IndexBuilder:
    """Makes an index while the ``Packages`` file passes by in chunks."""

    def __init__(self) -> None:
        self._rest = b""
        self._offset = 0  # of the rest
        self._names: list[tuple[bytes, Place]] = []
        self._provided: list[tuple[bytes, Place]] = []
        self._marks: list[tuple[bytes, Place]] = []

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes.  Raises ``ArchiveError`` for a paragraph that is no package."""
        *paragraphs, self._rest = (self._rest + chunk).split(b"\n\n")
        for paragraph in paragraphs:
            self._add(paragraph)
            self._offset += len(paragraph) + 2

    def finish(self) -> bytes:
        """The serialised index, after the last chunk."""
        self._add(self._rest.rstrip(b"\n"))
        return _MAGIC + b"".join(map(_table, (self._names, self._provided, self._marks)))

    def _add(self, paragraph: bytes) -> None:
        text = paragraph.lstrip(b"\n")  # more than one blank line between two
        if not text:
            return
        place = Place(self._offset + len(paragraph) - len(text), len(text))
        name = _value(text, _PACKAGE)
        if not name:
            raise ArchiveError(
                f"a paragraph of a Packages file names no package: {text[:60]!r}",
                offset=place.offset,
            )
        self._names.append((name, place))
        if b"\nProvides:" in text and (provides := _PROVIDES.search(text)):
            self._provided += [(name, place) for name in _PROVIDED_NAME.findall(provides[1])]
        if (priority := _value(text, b"Priority: ")) in _PRIORITIES:
            self._marks.append((priority, place))
        if b"\nEssential: yes" in text:
            self._marks.append((b"essential", place))


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


def _table(rows: list[tuple[bytes, Place]]) -> bytes:
    rows = sorted(rows)
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

    def providing(self, name: str) -> list[Paragraph]:
        """The packages that provide that name, whatever they are called."""
        return [self._read(place) for place in self._provided.places(name.encode())]

    def marked(self, mark: str) -> list[Paragraph]:
        """The packages that are ``essential``, ``required``, ``important`` or ``standard``."""
        return [self._read(place) for place in self._marks.places(mark.encode())]

    def has_name(self, name: str) -> bool:
        return self._names.has(name.encode())

    def names(self) -> Iterator[str]:
        """Every package's name, sorted; a name with several versions comes several times."""
        return (name.decode("ascii", "replace") for name in self._names.names)

    def _read(self, place: Place) -> Paragraph:
        return parse_paragraph(self._packages.read_at(place.offset, place.size_bytes))


class _Table(NamedTuple):
    names: list[bytes]
    rows: memoryview

    def places(self, name: bytes) -> Iterator[Place]:
        at = bisect_left(self.names, name)
        while at < len(self.names) and self.names[at] == name:
            yield Place(*_ROW.unpack_from(self.rows, at * _ROW.size))
            at += 1

    def has(self, name: bytes) -> bool:
        at = bisect_left(self.names, name)
        return at < len(self.names) and self.names[at] == name


def _read_table(index: bytes, start: int) -> tuple[_Table, int]:
    count, names_size = _TABLE_HEAD.unpack_from(index, start)
    names_at = start + _TABLE_HEAD.size
    rows_at = names_at + names_size
    end = rows_at + count * _ROW.size
    names = index[names_at:rows_at].split(b"\n") if count else []
    if len(names) != count or end > len(index):
        raise ValueError("rows are missing")
    return _Table(names, memoryview(index)[rows_at:end]), end
