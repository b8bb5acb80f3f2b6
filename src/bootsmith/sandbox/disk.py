"""A tree on a disk of its own: written before a machine starts, compared when it has ended.

The comparison needs nothing of the guest: the kernel moves a file's change time with whatever
is done to it, and our own reader finds owners, attributes and links as they are on the disk.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from bootsmith.host.files import FileSink
from bootsmith.host.sandbox.comparison import Seen, Snapshot, changes
from bootsmith.image.ext4 import Ext4Options, Ext4Reader, FoundEntry, Profile, write_ext4
from bootsmith.model.guest_path import GuestPath
from bootsmith.model.streams import BlobSource, ByteSource
from bootsmith.sandbox.gathered import GatheredContents
from bootsmith.sandbox.stored import SCRATCH
from bootsmith.tree.entry import Directory, Entry, HardLink, Member, RegularFile
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import whiteout

_BYTES_PER_INODE = 16 << 10


class Look(NamedTuple):
    """What is on a disk; of several names of a file one has the ``entry``, the others a link."""

    seen: Snapshot
    entries: dict[GuestPath, Entry]


def write_disk(path: Path, tree: FileTree, *, free_bytes: int, blobs: BlobSource) -> None:
    """Write ``tree`` as a file system with ``free_bytes`` of room, of which nothing is filled.

    It has no journal: what a machine that was killed leaves on it is thrown away.
    """
    options = Ext4Options(
        uuid=bytes(16),
        hash_seed=bytes(16),
        created_s=0,
        label="sandbox",
        profile=Profile.READ_ONLY,
        free_bytes=free_bytes,
        free_inodes=free_bytes // _BYTES_PER_INODE,
    )
    with FileSink(path) as sink:
        write_ext4(tree, options, blobs, sink)


def look(disk: ByteSource, *, excluded: Collection[GuestPath]) -> Look:
    """Everything on ``disk`` but the directories ``excluded`` and what is in them.

    Raises ``ArchiveError`` when the file system is damaged or was not unmounted.
    """
    found = [one for one in Ext4Reader(disk).walk(SCRATCH) if not _is_within(one.path, excluded)]
    return Look({one.path: _seen(one) for one in found}, {one.path: one.entry for one in found})


def layer_members(
    before: Snapshot, after: Look, *, ignored: Collection[GuestPath], contents: GatheredContents
) -> Iterator[Member]:
    """The layer that makes what was seen ``before`` what is there ``after``, sorted by path.

    The data of changed files is gathered in ``contents``.
    """
    changed, removed = changes(before, after.seen, ignored=ignored)
    carriers = {after.seen[path].inode: entry for path, entry in _carriers(after)}
    members = [whiteout(GuestPath(path)) for path in removed]
    for path, now, first in changed:
        entry = carriers[now.inode] if first is None else HardLink(GuestPath(first))
        if isinstance(entry, RegularFile):
            entry = RegularFile(entry.metadata, contents.add(entry.content))
        members.append(Member(GuestPath(path), entry))
    return iter(sorted(members, key=lambda member: member.path))


def _carriers(found: Look) -> Iterable[tuple[GuestPath, Entry]]:
    return ((path, entry) for path, entry in found.entries.items() if type(entry) is not HardLink)


def _seen(found: FoundEntry) -> Seen:
    inode = found.inode
    return Seen(
        inode=inode.number,
        ctime_ns=inode.ctime_ns,
        size_bytes=inode.size_bytes,
        mode=inode.mode,
        uid=inode.uid,
        gid=inode.gid,
        mtime_ns=inode.mtime_ns,
        device=0,
        links=inode.links,
        xattrs=found.entry.metadata.xattrs if isinstance(found.entry, Directory) else None,
    )


def _is_within(path: GuestPath, directories: Collection[GuestPath]) -> bool:
    return any(path == one or path.startswith(one + b"/") for one in directories)
