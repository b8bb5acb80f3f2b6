"""Unix ``ar`` archives, in the plain form that Debian packages have (deb(5)).

An archive is a magic line, then members: a header of 60 bytes of text, the data, and a newline
where the data has an odd length.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bootsmith.errors import ArchiveError
from bootsmith.model.streams import ByteSource

MAGIC = b"!<arch>\n"
HEADER_BYTES = 60
_HEADER_END = b"`\n"
_NAME = slice(0, 16)
_SIZE = slice(48, 58)  # between them: time, owner, group and mode, which nobody uses


class ArMember(NamedTuple):
    """One member; its data is ``size_bytes`` bytes from ``offset`` in the archive."""

    name: str
    offset: int
    size_bytes: int


def read_ar(source: ByteSource) -> Iterator[ArMember]:
    """The members of the archive in ``source``, in its order.

    Raises ``ArchiveError`` for what is no such archive, or is cut off.
    """
    if source.read_at(0, len(MAGIC)) != MAGIC:
        raise ArchiveError("not an ar archive", offset=0)
    offset = len(MAGIC)
    while offset < source.size_bytes:
        header = source.read_at(offset, HEADER_BYTES)
        member = _member(header, offset)
        end = member.offset + member.size_bytes
        if end > source.size_bytes:
            raise ArchiveError(
                f"an ar archive is cut off: {end - source.size_bytes} bytes of "
                f"{member.name} are missing",
                member=member.name,
                offset=source.size_bytes,
            )
        yield member
        offset = end + end % 2


def _member(header: bytes, offset: int) -> ArMember:
    size = header[_SIZE].rstrip(b" ")
    if len(header) < HEADER_BYTES or header[-2:] != _HEADER_END or not size.isdigit():
        raise ArchiveError("a damaged header in an ar archive", offset=offset)
    # GNU's ar ends a name with a slash.
    name = header[_NAME].rstrip(b" ").removesuffix(b"/").decode("ascii", "backslashreplace")
    return ArMember(name, offset + HEADER_BYTES, int(size))
