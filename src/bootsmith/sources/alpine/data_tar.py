"""The files of a package, with what apk wants to know of them besides.

Owners are stored by name as well as by number, and the name counts where the system knows it
(a package's own script may have made that user a moment before).  Each file's SHA-1 digest
stands in a record of its header; it goes into the database, so it is checked here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from bootsmith.errors import ArchiveError, IntegrityError, UnsafePath
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import GuestPath, display
from bootsmith.model.streams import ByteSource, ReadAhead, chunks
from bootsmith.tree import tar_format as tar
from bootsmith.tree.entry import (
    BlobSlice,
    Device,
    Directory,
    Entry,
    Fifo,
    HardLink,
    Inode,
    RegularFile,
    SparseContent,
    Symlink,
)
from bootsmith.tree.tar_pax import SPARSE_KEYWORDS
from bootsmith.tree.tar_reader import TarReader

_CHECKSUM = b"APK-TOOLS.checksum.SHA1"
_USER, _GROUP = 11, 12  # fields of tar.HEADER
_AMBIGUOUS = frozenset({b"size", *SPARSE_KEYWORDS})
_CONTROL_CHARACTER = re.compile(rb"[\x00-\x1f\x7f]")
_EMPTY = hashlib.sha1(usedforsecurity=False).digest()


class Owner(NamedTuple):
    """The names of a file's owner and group, as the archive has them."""

    user: str
    group: str


class ApkFile(NamedTuple):
    """A member of the data archive.

    ``checksum`` is the SHA-1 digest of a file's content or a symbolic link's target; ``None``
    for what has neither, and for hard links.
    """

    path: GuestPath
    entry: Entry
    owner: Owner
    checksum: bytes | None


def read_data(source: ByteSource, *, blob: Digest) -> Iterator[ApkFile]:
    """The files in the uncompressed tar ``source``, in its order; ``blob`` is its digest.

    Raises ``ArchiveError`` for a malformed archive, ``UnsafePath`` for names that leave the
    root or hold control characters (they would forge lines of apk's database), and
    ``IntegrityError`` for a file whose recorded checksum is another's.
    """
    source = ReadAhead(source)  # headers and contents are read side by side
    archive = TarReader(source, blob)
    for path, entry in archive.members():
        if _CONTROL_CHARACTER.search(path):
            raise UnsafePath(
                f"a file name holds control characters: {display(path)!r}", member=display(path)
            )
        recorded = _recorded(archive.records)
        checksum = None if isinstance(entry, HardLink) else _checksum(entry, source)
        if recorded is not None and checksum is not None and recorded != checksum:
            raise IntegrityError(
                f"{display(path)} is not what its header says",
                expected=f"sha1:{recorded.hex()}",
                actual=f"sha1:{checksum.hex()}",
            )
        owner = Owner(_text(archive.header[_USER]), _text(archive.header[_GROUP]))
        yield ApkFile(path, entry, owner, checksum)


def _checksum(entry: Inode, source: ByteSource) -> bytes | None:
    match entry:
        case Symlink(_, target):
            return hashlib.sha1(target, usedforsecurity=False).digest()
        case RegularFile(_, BlobSlice(_, offset, size)):
            digest = hashlib.sha1(usedforsecurity=False)
            for chunk in chunks(source, offset, size):
                digest.update(chunk)
            return digest.digest()
        case RegularFile(_, SparseContent()):
            raise ArchiveError("a file with holes, which apk cannot install")
        case RegularFile():
            return _EMPTY
        case Directory() | Device() | Fifo():
            return None


def _recorded(records: Mapping[bytes, bytes]) -> bytes | None:
    """The checksum that stands in the header, if any does.  Raises ``ArchiveError``."""
    # Only plain headers, as abuild writes them: another reader might see another size.
    if not records.keys().isdisjoint(_AMBIGUOUS):
        raise ArchiveError("a size outside of its header")
    text = records.get(_CHECKSUM)
    return _from_hex(text) if text else None


def _from_hex(text: bytes) -> bytes:
    try:
        return bytes.fromhex(text.decode("ascii"))
    except ValueError as error:
        raise ArchiveError(f"not a checksum: {text[:60]!r}") from error


def _text(field: bytes) -> str:
    return tar.text(field).decode("utf-8", "surrogateescape")
