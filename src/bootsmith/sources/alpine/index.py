"""A compact index of an ``APKINDEX``, so that only the paragraphs asked for are parsed.

Alpine's main and community hold 23,000 packages in 9 MB; a solver looks at a few hundred.  The
index maps names to where their paragraphs stand, and carries the file itself.  It is made in
one pass, is a pure function of the file, and is used as it lies in the store:

=================  =====================================================================
magic              ``bootsmith apk index 1`` and a line feed
three tables       by package name; by provided name, the package's own included; by a name
                   that ``install_if`` mentions
each table         as ``sources.name_table`` has it; a row is u32 offset and u32 size of
                   the paragraph
the file           to the end
=================  =====================================================================

All numbers are little-endian.  Rows of one name stand in the order of the file, which decides
between packages that are equally good.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from bootsmith.errors import ArchiveError
from bootsmith.sources.name_table import NameTable, write_table

INDEX_KIND = "alpine-index-1"
"""What the store calls an index derived from an ``APKINDEX.tar.gz``."""

INDEX_MEDIA_TYPE = "application/vnd.bootsmith.alpine-index"
MOST_BYTES = 1 << 30  # what offsets of 32 bits can point into, with room

_MAGIC = b"bootsmith apk index 1\n"
_ROW = struct.Struct("<II")
assert _ROW.size == 8

_FIELDS = re.compile(rb"^([Ppi]):(.*)", re.MULTILINE)
_NAME_END = re.compile(rb"[<>=~@]")


class Place(NamedTuple):
    """Where a paragraph stands in its file."""

    offset: int
    size_bytes: int


def make_index(text: bytes) -> bytes:
    """The serialised index of an ``APKINDEX``.

    Raises ``ArchiveError`` for a paragraph that is no package.
    """
    if len(text) > MOST_BYTES:
        raise ArchiveError(f"an APKINDEX of {len(text)} bytes, {MOST_BYTES} is the most taken")
    packages: list[tuple[bytes, Place]] = []
    provided: list[tuple[bytes, Place]] = []
    waiting: list[tuple[bytes, Place]] = []
    offset = 0
    for paragraph in text.split(b"\n\n"):
        size = len(paragraph)
        if paragraph.strip():
            place = Place(offset, size)
            name = b""
            for letter, value in _FIELDS.findall(paragraph):
                if letter == b"P":
                    name = value
                    packages.append((name, place))
                    provided.append((name, place))
                elif letter == b"p":
                    names = {_NAME_END.split(word, 1)[0] for word in value.split()}
                    provided += [(one, place) for one in names]
                else:
                    names = {_NAME_END.split(word, 1)[0] for word in value.split()}
                    waiting += [(one.removeprefix(b"!"), place) for one in names]
            if not name:
                raise ArchiveError(
                    f"a paragraph of an APKINDEX names no package: {paragraph[:60]!r}",
                    offset=offset,
                )
        offset += size + 2
    return (
        _MAGIC
        + b"".join(write_table(set(rows), _ROW) for rows in (packages, provided, waiting))
        + text
    )


class PackageIndex:
    """An ``APKINDEX`` seen through its index.

    Raises ``ArchiveError`` when ``data`` is not what ``make_index`` makes.
    """

    def __init__(self, data: bytes) -> None:
        if not data.startswith(_MAGIC):
            raise ArchiveError("not an index of an APKINDEX")
        self._data = data
        try:
            self._packages, end = NameTable.read(data, len(_MAGIC), _ROW)
            self._provided, end = NameTable.read(data, end, _ROW)
            self._waiting, self._text_start = NameTable.read(data, end, _ROW)
        except (struct.error, ValueError) as error:
            raise ArchiveError("an index of an APKINDEX is damaged") from error

    def providing(self, name: str) -> list[Place]:
        """Where the packages stand that are called ``name`` or provide it, in the file's order."""
        return [Place(*row) for row in self._provided.find(name.encode())]

    def waiting_for(self, name: str) -> list[Place]:
        """Where the packages stand whose ``install_if`` mentions ``name``."""
        return [Place(*row) for row in self._waiting.find(name.encode())]

    def names(self) -> Iterator[str]:
        """Every package's name, sorted; a name with several versions comes several times."""
        return (name.decode("utf-8", "replace") for name in self._packages.names)

    def provided_names(self) -> Iterator[str]:
        """Every name that is provided, sorted; once for each package that provides it."""
        return (name.decode("utf-8", "replace") for name in self._provided.names)

    def paragraph(self, place: Place) -> str:
        """The text of the paragraph at ``place``."""
        start = self._text_start + place.offset
        return self._data[start : start + place.size_bytes].decode("utf-8", "surrogateescape")
