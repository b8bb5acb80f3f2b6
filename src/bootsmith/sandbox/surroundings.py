"""What must be around a tree for programs to run in it, decided before anything is done.

A tree may lack ``/proc`` or ``/tmp``, or have a symbolic link there.  What is missing is added
to the tree that is put on disk, and forgotten when the changes are read back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bootsmith.host.sandbox.mounts import ShownFile, View
from bootsmith.model.guest_command import GuestFile
from bootsmith.model.guest_path import ROOT, GuestPath, guest_path, join, parent
from bootsmith.tree.device_nodes import DESCRIPTOR_LINKS, device_node
from bootsmith.tree.entry import Directory, InlineBytes, Metadata, RegularFile, Symlink
from bootsmith.tree.file_tree import FileTree, TreeBuilder

_MAX_LINKS = 40

# For a sandbox that can mount nothing.
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """``tree`` is what to put on disk.

    ``temporary`` are the paths of it that are there for the run only, ``excluded`` the
    directories that belong to the kernel or to nobody.
    """

    tree: FileTree
    view: View
    temporary: tuple[GuestPath, ...]
    excluded: tuple[GuestPath, ...]


def surround(
    tree: FileTree, files: Iterable[GuestFile], *, mounts: bool, fresh_tmp: bool = True
) -> Surroundings:
    """What ``tree`` needs to run in, with ``files`` shown in it.

    Without ``mounts``, the devices are files of the tree, and of ``files`` those that would
    cover another are left out.
    """
    builder = TreeBuilder(tree)
    temporary: list[GuestPath] = []
    places = {
        place: _directory(builder, guest_path(place), temporary)
        for place in ("dev", "proc", "sys", "run", "tmp")
    }
    if not fresh_tmp:
        del places["tmp"]
    emptied = tuple(places.values())
    if not mounts:
        _add_devices(builder, places["dev"])
    shown = []
    for file in files:
        path = _place(builder, file.path, temporary)
        covers = path in builder
        if mounts and _is_inside(path, emptied):
            shown.append(ShownFile(path, file.content, file.mode, covers=False))
        elif mounts and covers:
            shown.append(ShownFile(path, file.content, file.mode, covers=True))
        elif not covers:
            metadata = Metadata(file.mode)
            builder.put(path, RegularFile(metadata, InlineBytes(file.content)))
            temporary.append(path)
    return Surroundings(
        tree=builder.build(),
        view=View(
            dev=places["dev"],
            proc=places["proc"],
            sys=places["sys"],
            run=places["run"],
            tmp=places.get("tmp"),
            files=tuple(shown),
        ),
        temporary=tuple(temporary),
        excluded=emptied,
    )


def surround_on_disk(
    tree: FileTree, files: Iterable[GuestFile], *, fresh_tmp: bool = True
) -> Surroundings:
    """What ``tree`` needs on a disk that nobody else uses.

    There ``files`` simply take the place of what they cover, and the directories that belong to
    nobody are emptied: what stands in their place is not read back as long as it is untouched.
    """
    builder = TreeBuilder(tree)
    temporary: list[GuestPath] = []
    kernels = [_directory(builder, guest_path(name), temporary) for name in ("dev", "proc", "sys")]
    emptied = {"run": 0o755, "tmp": 0o1777} if fresh_tmp else {"run": 0o755}
    nobodys = []
    for name, mode in emptied.items():
        place = _directory(builder, guest_path(name), temporary)
        builder.clear(place)
        builder.put(place, Directory(Metadata(mode)))
        nobodys.append(place)
    for file in files:
        path = _place(builder, file.path, temporary)
        builder.put(path, RegularFile(Metadata(file.mode), InlineBytes(file.content)))
        temporary.append(path)
    dev, proc, sys = kernels
    return Surroundings(
        tree=builder.build(),
        view=View(dev=dev, proc=proc, sys=sys, run=nobodys[0], tmp=None, files=()),
        temporary=tuple(temporary),
        excluded=(*kernels, *nobodys),
    )


def _directory(builder: TreeBuilder, path: GuestPath, temporary: list[GuestPath]) -> GuestPath:
    """Where ``path`` leads; it is a directory then."""
    place = _place(builder, path, temporary)
    if not isinstance(builder.get(place), Directory):
        builder.put(place, Directory(Metadata(0o755)))
        temporary.append(place)
    return place


def _place(builder: TreeBuilder, path: GuestPath, temporary: list[GuestPath]) -> GuestPath:
    """Where ``path`` leads when every link on the way is followed, also its last segment.

    Missing directories on the way are made, also where a link leads to nothing.
    """
    here = ROOT
    pending = path.split(b"/")[::-1]
    links = 0
    while pending:
        segment = pending.pop()
        if segment in (b"", b"."):
            continue
        if segment == b"..":
            here = parent(here)
            continue
        step = join(here, segment)
        entry = builder.get(step)
        if isinstance(entry, Symlink) and links < _MAX_LINKS:
            links += 1
            here = ROOT if entry.target.startswith(b"/") else here
            pending.extend(entry.target.split(b"/")[::-1])
            continue
        if pending and not isinstance(entry, Directory):
            builder.put(step, Directory(Metadata(0o755)))
            temporary.append(step)
        here = step
    return here


def _is_inside(path: GuestPath, directories: tuple[GuestPath, ...]) -> bool:
    return any(path.startswith(directory + b"/") for directory in directories)


def _add_devices(builder: TreeBuilder, dev: GuestPath) -> None:
    for name in _DEVICES:
        builder.put(join(dev, name.encode()), device_node(name, Metadata(0o666)))
    for link, target in DESCRIPTOR_LINKS.items():
        builder.put(join(dev, link.encode()), Symlink(Metadata(0o777), target))
