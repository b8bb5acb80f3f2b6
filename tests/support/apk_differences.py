"""A system that apk installed, and a tree of ours: every path that differs, and how."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from bootsmith.model.guest_path import GuestPath, display
from bootsmith.model.streams import BlobSource
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import Device, Directory, HardLink, Inode, RegularFile, Symlink
from bootsmith.tree.file_tree import FileTree

_KINDS = {
    Directory: stat.S_ISDIR,
    RegularFile: stat.S_ISREG,
    Symlink: stat.S_ISLNK,
    Device: stat.S_ISCHR,
}


def differences(root: Path, tree: FileTree, blobs: BlobSource) -> Iterator[str]:
    """Every path that differs between a folder and a tree, and how."""
    real = {
        GuestPath(os.fsencode(path.relative_to(root))): path
        for folder, folders, files in os.walk(root)
        for path in (Path(folder, name) for name in (*folders, *files))
    }
    for path in sorted({*real, *tree}):
        if not path:
            continue
        if path not in real or path not in tree:
            yield f"{display(path)}: only {'apk' if path in real else 'ours'}"
            continue
        yield from (
            f"{display(path)}: {what}" for what in _differs(real[path], tree.inode(path), blobs)
        )
    names = {path for path in tree if isinstance(tree[path], HardLink)}
    linked = {path for path, one in real.items() if one.is_file() and one.lstat().st_nlink > 1}
    firsts = {entry.target for path in names if isinstance(entry := tree[path], HardLink)}
    yield from (f"{display(path)}: links" for path in linked ^ (names | firsts))


def _differs(real: Path, entry: Inode, blobs: BlobSource) -> Iterator[str]:
    status, metadata = real.lstat(), entry.metadata
    if not _KINDS[type(entry)](status.st_mode):
        yield "type"
        return
    if (metadata.uid, metadata.gid) != (status.st_uid, status.st_gid):
        yield f"owner {metadata.uid}:{metadata.gid}, not {status.st_uid}:{status.st_gid}"
    if isinstance(entry, Symlink):
        if os.fsencode(real.readlink()) != entry.target:
            yield f"target {entry.target!r}"
        return
    if metadata.mode != stat.S_IMODE(status.st_mode):
        yield f"mode {metadata.mode:o}, not {stat.S_IMODE(status.st_mode):o}"
    if isinstance(entry, RegularFile) and real.read_bytes() != read_content(
        entry.content, blobs=blobs
    ):
        yield "content"
    if isinstance(entry, Device):
        number = os.makedev(entry.major, entry.minor)
        if number != status.st_rdev:
            yield f"device {entry.major}:{entry.minor}"


def owners_in_place(installed: str) -> str:
    """The database ``installed`` with each line where it belongs.

    apk writes ``r:`` of a package that has no folders into the next one that has some.
    """
    moved = "D:alpine-baselayout-data=3.4.3-r2 /bin/sh\nr:alpine-baselayout\n"
    assert moved in installed
    right = installed.replace(moved, moved.split("\n", maxsplit=1)[0] + "\n")
    before, name, after = right.partition("P:alpine-base\n")
    return before + name + after.replace("\n\n", "\nr:alpine-baselayout\n\n", 1)
