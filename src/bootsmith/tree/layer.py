"""Layers: what one step adds to a tree and takes from it, in OCI form.

The rules are those of the OCI image specification, layer.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from bootsmith.errors import ArchiveError, UnsafePath
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import GuestPath, ancestors, display, join, name, parent
from bootsmith.model.streams import ByteSource
from bootsmith.tree.entry import (
    EMPTY,
    Directory,
    Fifo,
    HardLink,
    Member,
    Metadata,
    RegularFile,
    Symlink,
)
from bootsmith.tree.file_tree import FileTree, TreeBuilder
from bootsmith.tree.tar_reader import read_tar

__all__ = ["Layer", "Member", "layer_of", "overlay", "read_layer", "whiteout", "with_parents"]

WHITEOUT_PREFIX = b".wh."
OPAQUE_MARKER = b".wh..wh..opq"


@dataclass(frozen=True, slots=True)
class Layer:
    """Members in archive order; whiteouts are members named ``.wh.x`` and ``.wh..wh..opq``."""

    members: tuple[Member, ...]


def read_layer(source: ByteSource, blob: Digest) -> Layer:
    """The layer in the uncompressed tar ``source``; see ``read_tar`` for what it raises."""
    return Layer(tuple(read_tar(source, blob=blob)))


def with_parents(tree: FileTree, layer: Layer, folder: Directory) -> Layer:
    """``layer`` and, before its members, the parents that ``tree`` lacks, each as ``folder``.

    Without them ``overlay`` makes parents of its own, which bear no time.
    """
    needed = {step for member in layer.members for step in ancestors(member.path)}
    needed -= {member.path for member in layer.members}
    made = [Member(path, folder) for path in sorted(needed) if tree.resolve(path) is None]
    return Layer((*made, *layer.members))


def layer_of(tree: FileTree) -> Layer:
    """The layer that makes ``tree`` out of nothing."""
    return Layer(tuple(Member(path, entry) for path, entry in tree.items()))


def whiteout(path: GuestPath) -> Member:
    """The member that takes ``path`` away."""
    marker = join(parent(path), WHITEOUT_PREFIX + name(path))
    return Member(marker, RegularFile(Metadata(0o644), EMPTY))


def overlay(lower: FileTree, layer: Layer, *, keep_directory_symlinks: bool = False) -> FileTree:
    """``lower`` with ``layer`` applied to it.

    - Whiteouts and opaque markers hide only what ``lower`` holds, wherever they stand.
    - A member below a symbolic link to a directory goes where the link leads, inside the
      root.  A missing parent is made, with mode 755.
    - A member takes the place of what is there, with all it holds; only a directory on a
      directory keeps the contents and changes their owner, mode and times.
    - A directory takes the place of a symbolic link too, as in containers, unless
      ``keep_directory_symlinks``: then a link to a directory stays, as dpkg has it.
    - A hard link names what stands at its target at that moment, or else what comes there
      later in the layer.

    Raises ``UnsafePath`` for hostile whiteouts and loops of links, ``ArchiveError`` for a
    hard link to nothing.
    """
    members = layer.members
    marked = [path for path, _ in members if path.find(WHITEOUT_PREFIX) >= 0]
    whiteouts = {path for path in marked if _is_whiteout(path)}
    application = _Application(lower, keep_directory_symlinks=keep_directory_symlinks)
    if whiteouts:
        replaced = {path for path, entry in members if isinstance(entry, Directory)}
        application.hide(whiteouts, replaced)
    for member in members:
        if member.path not in whiteouts:
            application.put(member)
    return application.finish()


class _Application:
    """One layer on its way onto a tree."""

    def __init__(self, lower: FileTree, *, keep_directory_symlinks: bool) -> None:
        self._lower = lower
        self._builder = TreeBuilder(lower)
        self._keep_directory_symlinks = keep_directory_symlinks
        # Hard links that came before their target, by the target's path; a placeholder
        # stands where each belongs, so that later members meet it as they would the link.
        self._early: dict[GuestPath, list[GuestPath]] = {}
        self._awaited: dict[GuestPath, GuestPath] = {}

    def hide(self, whiteouts: set[GuestPath], replaced: set[GuestPath]) -> None:
        """Take away what the whiteouts name.

        They are resolved in the lower tree alone; below a symbolic link that the layer
        replaces by a directory of its own, there is nothing of that tree to hide.
        """
        for marker in sorted(whiteouts):
            directory = parent(marker)
            if not self._keep_directory_symlinks and any(
                step in self._lower and isinstance(self._lower.inode(step), Symlink)
                for step in replaced.intersection(ancestors(marker))
            ):
                continue
            place = self._lower.resolve(directory)
            if place is None or place not in self._builder:
                continue
            if not isinstance(self._builder.get(place), Directory):
                continue
            if name(marker) == OPAQUE_MARKER:
                self._builder.clear(place)
                continue
            hidden = join(place, name(marker)[len(WHITEOUT_PREFIX) :])
            if hidden in self._builder:
                self._builder.remove(hidden)

    def put(self, member: Member) -> None:
        path, entry = member
        place = self._builder.place(path)
        if isinstance(entry, HardLink):
            target = self._link_target(entry.target)
            if target is None:
                self._put_early(place, entry.target)
                return
            entry = HardLink(target)
        elif isinstance(entry, Directory) and self._keeps_symlink(place):
            return
        self._builder.put(place, entry)
        if self._early:
            for awaited in {path, place}:
                self._settle(awaited, place)

    def finish(self) -> FileTree:
        for target in tuple(self._early):
            place = self._link_target(target)
            if place is not None:
                self._settle(target, place)
        for targets in self._early.values():
            for place in targets:
                if self._builder.get(place) is _PLACEHOLDER:
                    raise ArchiveError(
                        f"{display(place)} is a hard link to {display(self._awaited[place])}, "
                        "which is nothing",
                        member=display(place),
                    )
        return self._builder.build()

    def _keeps_symlink(self, place: GuestPath) -> bool:
        if not (self._keep_directory_symlinks and isinstance(self._builder.inode(place), Symlink)):
            return False
        target = self._builder.resolve(place)
        return target is not None and isinstance(self._builder.get(target), Directory)

    def _link_target(self, target: GuestPath) -> GuestPath | None:
        """Where a hard link's target stands (its last segment is not followed), if it does."""
        directory = self._builder.resolve(parent(target))
        if directory is None:
            return None
        place = join(directory, name(target))
        entry = self._builder.get(place)
        return None if entry is None or entry is _PLACEHOLDER else place

    def _put_early(self, place: GuestPath, target: GuestPath) -> None:
        self._builder.put(place, _PLACEHOLDER)
        self._early.setdefault(target, []).append(place)
        self._awaited[place] = target

    def _settle(self, target: GuestPath, place: GuestPath) -> None:
        """Make the links that waited for ``target``, which now stands at ``place``."""
        arrived = [target]
        while arrived:
            awaited = arrived.pop()
            for link in self._early.pop(awaited, ()):
                if self._builder.get(link) is _PLACEHOLDER and self._awaited[link] == awaited:
                    self._builder.put(link, HardLink(place))
                    arrived.append(link)


_PLACEHOLDER = Fifo(Metadata(0))


def _is_whiteout(path: GuestPath) -> bool:
    """Whether the marked ``path`` is a whiteout.  Raises ``UnsafePath`` for a hostile one.

    ``.wh..`` and ``.wh...`` would hide ``.`` and ``..``; other names that begin with
    ``.wh..wh.`` are aufs' own; and nothing stands below a whiteout.
    """
    *above, last = path.split(b"/")
    is_whiteout = last.startswith(WHITEOUT_PREFIX)
    hidden = last[len(WHITEOUT_PREFIX) :]
    hostile = hidden in (b"", b".", b"..") or hidden.startswith(WHITEOUT_PREFIX)
    if (is_whiteout and hostile and last != OPAQUE_MARKER) or any(
        segment.startswith(WHITEOUT_PREFIX) for segment in above
    ):
        raise UnsafePath(f"a hostile whiteout: {display(path)}", member=display(path))
    return is_whiteout
