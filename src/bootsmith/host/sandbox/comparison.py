"""Which paths of a tree changed between two looks at it.

A file is the same when inode number, change time and size are: the kernel moves the change
time (``st_ctime``) with every write, chmod, chown, link, rename and extended attribute, and
no program can set it.  It does not matter who looked, or through what: at a folder, or at the
disk of a machine that is off.
"""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from bootsmith.host.sandbox.inode_record import Xattrs


class Seen(NamedTuple):
    """What of a file tells whether it changed, and what it was.

    ``xattrs`` are a directory's only: its change time also moves when something inside it comes
    and goes, so its attributes are compared themselves.
    """

    inode: int
    ctime_ns: int
    size_bytes: int
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    device: int
    links: int
    xattrs: Xattrs | None = None


Snapshot: TypeAlias = dict[bytes, Seen]


class Change(NamedTuple):
    """A path that is not what it was; ``link_to`` is an earlier one that is the same file."""

    path: bytes
    now: Seen
    link_to: bytes | None


def changes(
    before: Snapshot, after: Snapshot, *, ignored: Collection[bytes]
) -> tuple[list[Change], list[bytes]]:
    """What changed, in order of path, and what was removed, without what is below it.

    ``ignored`` paths count as unchanged for as long as they are the file they were, and when
    they are gone.
    """
    left_alone = {path for path in ignored if _is_left_alone(path, before, after)}
    changed = []
    first_names: dict[int, bytes] = {}
    for path in sorted(after):
        now = after[path]
        if path in left_alone or _is_same(before.get(path), now):
            continue
        first = path
        if now.links > 1 and not stat.S_ISDIR(now.mode):
            first = first_names.setdefault(now.inode, path)
        changed.append(Change(path, now, None if first == path else first))
    gone = sorted(path for path in before if path not in after and path not in left_alone)
    return changed, list(_outermost(gone, after))


def _is_left_alone(path: bytes, before: Snapshot, after: Snapshot) -> bool:
    then, now = before.get(path), after.get(path)
    return now is None or (then is not None and then.inode == now.inode)


def _is_same(then: Seen | None, now: Seen) -> bool:
    if then is None or then.mode != now.mode:
        return False
    if stat.S_ISDIR(now.mode):
        return (then.uid, then.gid, then.mtime_ns, then.xattrs) == (
            now.uid,
            now.gid,
            now.mtime_ns,
            now.xattrs,
        )
    return (then.inode, then.ctime_ns, then.size_bytes) == (
        now.inode,
        now.ctime_ns,
        now.size_bytes,
    )


def _outermost(gone: list[bytes], after: Mapping[bytes, Seen]) -> Iterator[bytes]:
    """The removed paths whose parent is still a directory."""
    for path in gone:
        directory = path.rpartition(b"/")[0]
        still = after.get(directory)
        if still is not None and stat.S_ISDIR(still.mode):
            yield path
