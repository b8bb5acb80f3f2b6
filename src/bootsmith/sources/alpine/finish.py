"""What a configured tree becomes before it goes into an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bootsmith.model.guest_path import guest_path
from bootsmith.model.streams import BlobSource
from bootsmith.sources.alpine.apk_database import add_database, add_settings
from bootsmith.sources.alpine.dependency import Dependency
from bootsmith.sources.alpine.install import Installation
from bootsmith.sources.alpine.mirror import Repository
from bootsmith.sources.tidying import clamp_days, remove_below, remove_logs, replace_content
from bootsmith.tree.entry import EMPTY
from bootsmith.tree.file_tree import FileTree, TreeBuilder

_DATED = ("etc/shadow", "etc/shadow-")
_WITHOUT_FILES = ("var/cache/apk", "var/tmp")
_LOGS = "var/log"
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
    return tidy(builder.build(), epoch_s=epoch_s, blobs=blobs)


def tidy(tree: FileTree, *, epoch_s: int, blobs: BlobSource) -> FileTree:
    """``tree`` without what the moment of the build left in it, also by commands of the user."""
    builder = TreeBuilder(tree)
    for path in _WITHOUT_FILES:
        remove_below(builder, guest_path(path))
    remove_logs(builder, guest_path(_LOGS))
    for path in _EMPTIED:
        replace_content(builder, guest_path(path), EMPTY)
    for path in _DATED:
        clamp_days(builder, guest_path(path), epoch_s=epoch_s, blobs=blobs)
    return builder.build()
