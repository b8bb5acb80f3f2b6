"""What a configured tree becomes before it goes into an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bootsmith.model.guest_path import GuestPath, guest_path
from bootsmith.model.streams import BlobSource
from bootsmith.sources.alpine.apk_database import add_database, add_settings
from bootsmith.sources.alpine.dependency import Dependency
from bootsmith.sources.alpine.install import Installation
from bootsmith.sources.alpine.mirror import Repository
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import EMPTY, Content, InlineBytes, RegularFile
from bootsmith.tree.file_tree import FileTree, TreeBuilder

_SECONDS_A_DAY = 86400
_LAST_CHANGE = 2  # the field of shadow(5) that counts days
_DATED = ("etc/shadow", "etc/shadow-")
_EMPTIED = ("etc/machine-id",)  # machine-id(5): the first boot makes one


def finish(
    installation: Installation,
    *,
    arch: str,
    world: Sequence[Dependency],
    repositories: Iterable[Repository],
    keys: Mapping[str, bytes],
    epoch_s: int,
    blobs: BlobSource,
) -> FileTree:
    """The tree of ``installation`` (after ``settle_owners``) with apk's database in it.

    ``repositories`` are what apk will read in the guest, ``keys`` those it trusts besides those
    that packages bring.  ``epoch_s`` is the build's time: no password was changed after it.
    """
    builder = TreeBuilder(installation.tree)
    add_database(builder, installation.packages)
    lines = [str(one) for one in repositories]
    add_settings(builder, arch=arch, world=world, repositories=lines, keys=keys)
    for path in _EMPTIED:
        _replace(builder, guest_path(path), EMPTY)
    for path in _DATED:
        _clamp_days(builder, guest_path(path), epoch_s // _SECONDS_A_DAY, blobs)
    return builder.build()


def _replace(builder: TreeBuilder, path: GuestPath, content: Content) -> None:
    """Give the file at ``path``, if there is one, another content."""
    entry = builder.get(path)
    if isinstance(entry, RegularFile):
        builder.change(path, entry._replace(content=content))


def _clamp_days(builder: TreeBuilder, path: GuestPath, latest: int, blobs: BlobSource) -> None:
    entry = builder.get(path)
    if not isinstance(entry, RegularFile):
        return
    lines = []
    for line in read_content(entry.content, blobs=blobs).split(b"\n"):
        fields = line.split(b":")
        if len(fields) > _LAST_CHANGE and fields[_LAST_CHANGE].isdigit():
            fields[_LAST_CHANGE] = b"%d" % min(int(fields[_LAST_CHANGE]), latest)
        lines.append(b":".join(fields))
    _replace(builder, path, InlineBytes(b"\n".join(lines)))
