"""Making a tree's metadata independent of when and where it was made."""

from __future__ import annotations

from collections.abc import Callable

from bootsmith.errors import ImageError
from bootsmith.model.guest_path import GuestPath, display
from bootsmith.tree.entry import HardLink, Inode, Member, Metadata
from bootsmith.tree.file_tree import FileTree, TreeBuilder
from bootsmith.tree.layer import Layer

_BILLION = 1_000_000_000


def clamp_times(tree: FileTree, *, epoch_s: int) -> FileTree:
    """``tree`` with no time after ``epoch_s`` (SOURCE_DATE_EPOCH): later ones become it."""
    latest_ns = epoch_s * _BILLION
    return _with_metadata(
        tree,
        lambda metadata: (
            metadata._replace(mtime_ns=latest_ns) if metadata.mtime_ns > latest_ns else metadata
        ),
    )


def set_times(tree: FileTree, *, epoch_s: int) -> FileTree:
    """``tree`` with every time at ``epoch_s``."""
    mtime_ns = epoch_s * _BILLION
    return _with_metadata(tree, lambda metadata: metadata._replace(mtime_ns=mtime_ns))


def set_layer_times(layer: Layer, *, epoch_s: int) -> Layer:
    """``layer`` with every time at ``epoch_s``."""
    mtime_ns = epoch_s * _BILLION
    return Layer(
        tuple(
            member
            if isinstance(member.entry, HardLink)
            else Member(
                member.path,
                member.entry._replace(metadata=member.entry.metadata._replace(mtime_ns=mtime_ns)),
            )
            for member in layer.members
        )
    )


def set_metadata(
    builder: TreeBuilder,
    path: GuestPath,
    *,
    mode: int | None = None,
    uid: int | None = None,
    gid: int | None = None,
) -> None:
    """Change who owns ``path`` and who may use it; symbolic links on the way are not followed.

    Every name of a hard-linked file shows the change.  Raises ``ImageError`` when nothing is
    there.
    """
    entry = builder.get(path)
    if entry is None:
        raise ImageError(f"there is no {display(path)} to change")
    if isinstance(entry, HardLink):
        set_metadata(builder, entry.target, mode=mode, uid=uid, gid=gid)
        return
    old = entry.metadata
    metadata = old._replace(
        mode=old.mode if mode is None else mode,
        uid=old.uid if uid is None else uid,
        gid=old.gid if gid is None else gid,
    )
    builder.change(path, entry._replace(metadata=metadata))


def _with_metadata(tree: FileTree, change: Callable[[Metadata], Metadata]) -> FileTree:
    changed: dict[Metadata, Metadata] = {}  # metadata repeats a thousandfold in a tree

    def renewed(entry: Inode) -> Inode:
        metadata = changed.get(entry.metadata)
        if metadata is None:
            metadata = changed[entry.metadata] = change(entry.metadata)
        return entry if metadata is entry.metadata else entry._replace(metadata=metadata)

    return FileTree(
        {
            path: entry if isinstance(entry, HardLink) else renewed(entry)
            for path, entry in tree.items()
        }
    )
