"""Members as a text of their own, which says where their content lies and does not hold it.

A tree of ten thousand entries takes half a megabyte and is read back in a few hundredths of a
second, which reading the archives it came from takes ten times over.  The form is CBOR and
private: whoever keeps it keeps the version of the code beside it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cbor2

from bootsmith.errors import ArchiveError, ImageError
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import GuestPath
from bootsmith.tree.entry import (
    BlobSlice,
    Content,
    Device,
    Directory,
    Entry,
    Fifo,
    HardLink,
    InlineBytes,
    Member,
    Metadata,
    RegularFile,
    Run,
    SparseContent,
    Symlink,
    runs,
)

_DIRECTORY, _FILE, _SYMLINK, _HARD_LINK, _DEVICE, _FIFO = range(6)


class MemberList(NamedTuple):
    """``note`` is whatever the keeper wants to remember beside the members."""

    members: tuple[Member, ...]
    note: str = ""

    @property
    def blobs(self) -> set[Digest]:
        """All that the members' content lies in."""
        return {
            run.data.blob
            for _, entry in self.members
            if isinstance(entry, RegularFile)
            for run in runs(entry.content)
            if isinstance(run.data, BlobSlice)
        }


def encode_members(found: MemberList) -> bytes:
    """The same members, the same bytes."""
    writer = _Writer()
    rows = [writer.row(path, entry) for path, entry in found.members]
    blobs = [str(blob) for blob in writer.blobs]
    metadata = [list(one) for one in writer.metadata]
    return cbor2.dumps([found.note, blobs, metadata, rows])


def decode_members(data: bytes) -> MemberList:
    """What ``encode_members`` was given.  Raises ``ArchiveError`` for anything else."""
    try:
        note, blobs, metadata, rows = cbor2.loads(data)
        reader = _Reader(
            [Digest.parse(blob) for blob in blobs],
            [_metadata(*one) for one in metadata],
        )
        members = tuple(Member(GuestPath(row[0]), reader.entry(row)) for row in rows)
    except (cbor2.CBORDecodeError, ImageError, TypeError, ValueError, IndexError) as error:
        raise ArchiveError(f"not a list of members: {error}") from error
    return MemberList(members, note)


class _Writer:
    """Numbers what repeats: blobs and metadata, in the order in which they come."""

    def __init__(self) -> None:
        self.blobs: dict[Digest, int] = {}
        self.metadata: dict[Metadata, int] = {}

    def row(self, path: GuestPath, entry: Entry) -> list[Any]:
        if isinstance(entry, HardLink):
            return [path, _HARD_LINK, entry.target]
        number = self.metadata.setdefault(entry.metadata, len(self.metadata))
        match entry:
            case RegularFile(_, content):
                return [path, _FILE, number, self._content(content)]
            case Directory():
                return [path, _DIRECTORY, number]
            case Symlink(_, target):
                return [path, _SYMLINK, number, target]
            case Device(_, is_block, major, minor):
                return [path, _DEVICE, number, is_block, major, minor]
            case Fifo():
                return [path, _FIFO, number]

    def _content(self, content: Content) -> bytes | list[Any]:
        match content:
            case InlineBytes(data):
                return data
            case BlobSlice(blob, offset, size_bytes):
                return [self.blobs.setdefault(blob, len(self.blobs)), offset, size_bytes]
            case SparseContent(size_bytes, stretches):
                return [size_bytes, [[run.offset, self._content(run.data)] for run in stretches]]


class _Reader:
    def __init__(self, blobs: list[Digest], metadata: list[Metadata]) -> None:
        self._blobs = blobs
        self._metadata = metadata

    def entry(self, row: list[Any]) -> Entry:
        kind = row[1]
        if kind == _HARD_LINK:
            return HardLink(GuestPath(row[2]))
        metadata = self._metadata[row[2]]
        if kind == _FILE:
            return RegularFile(metadata, self._content(row[3]))
        if kind == _DIRECTORY:
            return Directory(metadata)
        if kind == _SYMLINK:
            return Symlink(metadata, row[3])
        if kind == _DEVICE:
            return Device(metadata, *row[3:])
        if kind == _FIFO:
            return Fifo(metadata)
        raise ValueError(f"an entry of kind {kind}")

    def _content(self, found: bytes | list[Any]) -> Content:
        if isinstance(found, bytes):
            return InlineBytes(found)
        if len(found) == 3:
            return BlobSlice(self._blobs[found[0]], found[1], found[2])
        size_bytes, stretches = found
        return SparseContent(size_bytes, tuple(self._run(*run) for run in stretches))

    def _run(self, offset: int, data: bytes | list[Any]) -> Run:
        content = self._content(data)
        if isinstance(content, SparseContent):
            raise TypeError("a sparse run within another")
        return Run(offset, content)


def _metadata(mode: int, uid: int, gid: int, mtime_ns: int, xattrs: list[list[bytes]]) -> Metadata:
    return Metadata(mode, uid, gid, mtime_ns, tuple((name, value) for name, value in xattrs))
