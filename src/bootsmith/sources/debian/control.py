"""Control files: the ``Field: value`` paragraphs that all of Debian's metadata is written in.

The syntax is that of deb822(5) and Debian Policy 5.1: paragraphs parted by blank lines,
continuation lines that begin with white space, comment lines that begin with ``#``, field
names that mean the same in any case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bootsmith.errors import ArchiveError


class Paragraph(Mapping[str, str]):
    """The fields of one paragraph, in their order and spelling, looked up in any case.

    A value of several lines keeps its line ends; each continuation line has lost its one
    leading blank.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = {name.lower(): (name, value) for name, value in fields.items()}

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._fields.values())

    def __len__(self) -> int:
        return len(self._fields)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._fields

    def __repr__(self) -> str:
        return f"Paragraph({dict(self)!r})"


def parse_paragraph(data: bytes) -> Paragraph:
    """The only paragraph in ``data``.  Raises ``ArchiveError`` when there is not exactly one."""
    found = list(parse_paragraphs(data))
    if len(found) != 1:
        raise ArchiveError(f"expected one paragraph of fields, found {len(found)}")
    return found[0]


def parse_paragraphs(data: bytes) -> Iterator[Paragraph]:
    """Every paragraph in ``data``.

    Raises ``ArchiveError``, with the line's offset, for a line that is neither a field nor its
    continuation and for a field that stands twice in a paragraph.
    """
    fields: dict[str, str] = {}
    names: set[str] = set()  # in lower case
    name = ""
    # Bytes that are not UTF-8 occur in old maintainers' names; they must survive a round trip.
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    for number, line in enumerate(lines):
        if line[:1] in ("", " ", "\t", "\r", "#"):
            if line.startswith("#"):
                continue
            if not line or line.isspace():
                if fields:
                    yield Paragraph(fields)
                fields, names, name = {}, set(), ""
            elif name:
                fields[name] += "\n" + line[1:].rstrip()
            else:
                raise _malformed("a continuation line without a field before it", lines, number)
            continue
        name, colon, value = line.partition(":")
        if not colon or not name or name != "".join(name.split()) or name[0] == "-":
            what = "a field is a name without blanks, a colon and a value"
            raise _malformed(what, lines, number)
        lowered = name.lower()
        if lowered in names:
            raise _malformed(f"the field {name} stands twice", lines, number)
        names.add(lowered)
        fields[name] = value.strip()
    if fields:
        yield Paragraph(fields)


def _malformed(what: str, lines: list[str], number: int) -> ArchiveError:
    before = "".join(line + "\n" for line in lines[:number])
    shown = lines[number].encode("utf-8", "backslashreplace").decode()
    return ArchiveError(
        f"malformed control data: {what}: {shown[:80]!r}",
        offset=len(before.encode("utf-8", "surrogateescape")),
    )
