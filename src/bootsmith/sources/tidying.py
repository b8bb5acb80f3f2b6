"""Taking the machine and the moment of a build out of a tree, for any distribution."""

from __future__ import annotations

from collections.abc import Iterator

from bootsmith.model.guest_path import GuestPath
from bootsmith.model.streams import BlobSource
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import Content, Directory, InlineBytes, RegularFile
from bootsmith.tree.file_tree import TreeBuilder

_SECONDS_A_DAY = 86_400
_LAST_CHANGE = 2  # the third field of shadow(5): a day since 1970


def replace_content(builder: TreeBuilder, path: GuestPath, content: Content) -> None:
    """Give the file at ``path``, if there is one, another content."""
    entry = builder.get(path)
    if isinstance(entry, RegularFile):
        builder.change(path, entry._replace(content=content))


def remove_below(builder: TreeBuilder, folder: GuestPath) -> None:
    """Remove everything below ``folder`` that is no directory."""
    for path in list(_files_below(builder, folder)):
        builder.remove(path)


def remove_logs(builder: TreeBuilder, folder: GuestPath) -> None:
    """Remove the files below ``folder`` that hold something; an empty log is there for its owner
    and mode."""
    for path in list(_files_below(builder, folder)):
        entry = builder.inode(path)
        if isinstance(entry, RegularFile) and entry.content.size_bytes > 0:
            builder.remove(path)


def clamp_days(builder: TreeBuilder, path: GuestPath, *, epoch_s: int, blobs: BlobSource) -> None:
    """Let no password of the file at ``path``, in the form of shadow(5), be newer than
    ``epoch_s``."""
    entry = builder.get(path)
    if not isinstance(entry, RegularFile):
        return
    latest = epoch_s // _SECONDS_A_DAY
    lines = []
    for line in read_content(entry.content, blobs=blobs).split(b"\n"):
        fields = line.split(b":")
        if len(fields) > _LAST_CHANGE and fields[_LAST_CHANGE].isdigit():
            fields[_LAST_CHANGE] = b"%d" % min(int(fields[_LAST_CHANGE]), latest)
        lines.append(b":".join(fields))
    replace_content(builder, path, InlineBytes(b"\n".join(lines)))


def _files_below(builder: TreeBuilder, directory: GuestPath) -> Iterator[GuestPath]:
    """Everything below ``directory`` that is not itself a directory."""
    if not isinstance(builder.get(directory), Directory):
        return
    for path in builder.children(directory):
        if isinstance(builder.get(path), Directory):
            yield from _files_below(builder, path)
        else:
            yield path
