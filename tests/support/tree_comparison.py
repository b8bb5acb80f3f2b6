"""Two trees compared, path by path, by everything a program could notice but the time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from bootsmith.model.guest_path import GuestPath, display
from bootsmith.model.streams import BlobSource
from bootsmith.tree.contents import content_chunks
from bootsmith.tree.entry import Device, HardLink, RegularFile, Symlink
from bootsmith.tree.file_tree import FileTree


def differences(
    one: FileTree, other: FileTree, blobs: BlobSource, *, times: bool = False
) -> Iterator[tuple[str, str]]:
    """Every path that differs, and how: type, mode, owner, attributes, target, content, links."""
    for path in sorted({*one, *other}):
        if path not in other:
            yield display(path), "only in the first"
        elif path not in one:
            yield display(path), "only in the second"
        else:
            first, second = _facts(one, path, blobs, times), _facts(other, path, blobs, times)
            found = [name for name in first if first[name] != second.get(name)]
            if found:
                told = (f"{name}: {first[name]!r} and {second.get(name)!r}" for name in found)
                yield display(path), ", ".join(told)


def _facts(tree: FileTree, path: GuestPath, blobs: BlobSource, times: bool) -> dict[str, object]:
    entry, inode = tree[path], tree.inode(path)
    mode, uid, gid, mtime_ns, xattrs = inode.metadata
    facts: dict[str, object] = {
        "type": type(inode).__name__,
        "mode": oct(mode),
        "owner": (uid, gid),
        "attributes": xattrs,
        "linked to": entry.target if isinstance(entry, HardLink) else None,
    }
    if times:
        facts["time"] = mtime_ns
    if isinstance(inode, Symlink):
        facts["target"] = inode.target
        del facts["mode"]  # a link has none: archives and file systems invent one
    elif isinstance(inode, RegularFile):
        hasher = hashlib.sha256()
        for chunk in content_chunks(inode.content, blobs=blobs):
            hasher.update(chunk)
        facts["content"] = hasher.hexdigest()
    elif isinstance(inode, Device):
        facts["device"] = (inode.is_block, inode.major, inode.minor)
    return facts
