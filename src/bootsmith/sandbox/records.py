"""Trees to plain records and back, for the process that puts trees on disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator

from bootsmith.host.sandbox.inode_record import HARD_LINK, DataRun, InodeRecord
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import GuestPath
from bootsmith.tree.entry import (
    EMPTY,
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
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import whiteout


def to_records(tree: FileTree) -> tuple[list[InodeRecord], list[Digest]]:
    """Every path of ``tree``, hard links last, and the blobs that their data is in.

    Blobs are numbered by their place in the list.
    """
    numbers: dict[Digest, int] = {}
    records = []
    links = []
    for path, entry in tree.items():
        if isinstance(entry, HardLink):
            links.append(InodeRecord(path=path, mode=HARD_LINK, target=entry.target))
        else:
            records.append(_to_record(path, entry, numbers))
    return records + links, list(numbers)


def to_members(
    changed: Iterable[InodeRecord], removed: Iterable[bytes], *, content: Digest
) -> Iterator[Member]:
    """The layer that makes these changes, sorted; all data is in the blob ``content``."""
    found = [Member(GuestPath(record.path), _to_entry(record, content)) for record in changed]
    found += (whiteout(GuestPath(path)) for path in removed)
    return iter(sorted(found, key=lambda member: member.path))


def _to_record(path: GuestPath, entry: Entry, numbers: dict[Digest, int]) -> InodeRecord:
    assert not isinstance(entry, HardLink)
    mode, uid, gid, mtime_ns, xattrs = entry.metadata
    if isinstance(entry, RegularFile):
        return InodeRecord(
            path,
            stat.S_IFREG | mode,
            uid,
            gid,
            mtime_ns,
            xattrs,
            size_bytes=entry.content.size_bytes,
            runs=tuple(_to_run(run, numbers) for run in runs(entry.content)),
        )
    if isinstance(entry, Directory):
        return InodeRecord(path, stat.S_IFDIR | mode, uid, gid, mtime_ns, xattrs)
    if isinstance(entry, Symlink):
        return InodeRecord(path, stat.S_IFLNK | mode, uid, gid, mtime_ns, xattrs, entry.target)
    if isinstance(entry, Fifo):
        return InodeRecord(path, stat.S_IFIFO | mode, uid, gid, mtime_ns, xattrs)
    kind = stat.S_IFBLK if entry.is_block else stat.S_IFCHR
    device = os.makedev(entry.major, entry.minor)
    return InodeRecord(path, kind | mode, uid, gid, mtime_ns, xattrs, device=device)


def _to_run(run: Run, numbers: dict[Digest, int]) -> DataRun:
    if isinstance(run.data, InlineBytes):
        return DataRun(run.offset, run.data.data, 0, len(run.data.data))
    number = numbers.setdefault(run.data.blob, len(numbers))
    return DataRun(run.offset, number, run.data.offset, run.data.size_bytes)


def _to_entry(record: InodeRecord, content: Digest) -> Entry:
    kind = stat.S_IFMT(record.mode)
    if kind == HARD_LINK:
        return HardLink(GuestPath(record.target))
    metadata = Metadata(
        stat.S_IMODE(record.mode), record.uid, record.gid, record.mtime_ns, record.xattrs
    )
    if kind == stat.S_IFREG:
        return RegularFile(metadata, _to_content(record, content))
    if kind == stat.S_IFDIR:
        return Directory(metadata)
    if kind == stat.S_IFLNK:
        return Symlink(metadata, record.target)
    if kind == stat.S_IFIFO:
        return Fifo(metadata)
    return Device(
        metadata,
        is_block=kind == stat.S_IFBLK,
        major=os.major(record.device),
        minor=os.minor(record.device),
    )


def _to_content(record: InodeRecord, content: Digest) -> Content:
    if not record.size_bytes:
        return EMPTY
    pieces = tuple(
        Run(run.offset, BlobSlice(content, run.source_offset, run.size_bytes))
        for run in record.runs
    )
    if len(pieces) == 1 and pieces[0].data.size_bytes == record.size_bytes:
        return pieces[0].data
    return SparseContent(record.size_bytes, pieces)
