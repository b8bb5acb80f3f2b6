"""What the packages of a system own, read from apk's database (lib/apk/db/installed).

Only what an installation over it goes by: directories with their owners and modes, and files
with the digests of what they were.  ``apk_database`` writes the whole of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bootsmith.errors import ArchiveError, ImageError
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import GuestPath, guest_path, join
from bootsmith.sources.alpine.package import parse_identity
from bootsmith.tree.entry import Metadata

_LINE = re.compile(rb"[A-Za-z]:")
_ACCESS = re.compile(rb"([0-9]{1,10}):([0-9]{1,10}):([0-7]{1,5})(:\S*)?")
_SHA1 = b"Q1"
_INSIDE = (b"M:", b"R:", b"a:", b"Z:")
_USUAL = Metadata(0o755)
_NO_NAMES = (b"", b".", b"..")


@dataclass(slots=True)
class OwnedFolder:
    """A directory as one package has it: ``metadata`` without a time, and of each file the
    digest of what the package brought (``None`` where that is not told, or in another kind)."""

    path: GuestPath
    package: str
    metadata: Metadata = _USUAL
    files: dict[GuestPath, Digest | None] = field(default_factory=dict)


def read_owned(database: bytes) -> list[OwnedFolder]:
    """The directories in ``database``, in its order, those of several packages several times.

    Raises ``ArchiveError`` with the line that is malformed, ``UnsafePath`` for a path that climbs.
    """
    reading = _Reading()
    for number, line in enumerate(database.split(b"\n"), start=1):
        try:
            reading.take(line)
        except ValueError as error:
            shown = line[:60].decode("utf-8", "backslashreplace")
            raise ArchiveError(
                f"line {number} of its list of packages makes no sense: {shown!r}"
            ) from error
    return reading.folders


class _Reading:
    """Where in the database a reader is.  A line that does not fit there is a ``ValueError``."""

    def __init__(self) -> None:
        self.folders: list[OwnedFolder] = []
        self._package = ""
        self._folder: OwnedFolder | None = None
        self._file: GuestPath | None = None

    def take(self, line: bytes) -> None:
        letter, value = line[:2], line[2:]
        if not line:
            self._package, self._folder, self._file = "", None, None
        elif not _LINE.match(line):
            raise ValueError("no letter")
        elif letter == b"P:":
            self._package = value.decode("utf-8", "replace")
        elif letter == b"F:":
            self._folder, self._file = OwnedFolder(guest_path(value), self._package), None
            self.folders.append(self._folder)
        elif letter in _INSIDE:
            self._take_inside(letter, value)

    def _take_inside(self, letter: bytes, value: bytes) -> None:
        folder, file = self._folder, self._file
        if folder is None:
            raise ValueError("no folder")
        if letter == b"M:":
            folder.metadata = _metadata(value)
        elif letter == b"R:":
            if value in _NO_NAMES or b"/" in value:
                raise ValueError("no name")
            self._file = guest_path(join(folder.path, value))
            folder.files[self._file] = None
        elif file is None:
            raise ValueError("no file")
        elif letter == b"Z:":
            folder.files[file] = _checksum(value)


def _metadata(value: bytes) -> Metadata:
    found = _ACCESS.fullmatch(value)
    if found is None:
        raise ValueError("no owner and mode")
    return Metadata(int(found[3], 8), int(found[1]), int(found[2]))


def _checksum(value: bytes) -> Digest | None:
    if not value.startswith(_SHA1):
        return None
    try:
        return parse_identity(value.decode("ascii", "replace"))
    except ImageError as error:
        raise ValueError("no checksum") from error
