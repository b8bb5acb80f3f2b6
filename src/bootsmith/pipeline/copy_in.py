"""Files and folders of the host on their way into an image.

They enter the store before they enter a tree, so that a file that changes during the build
cannot make the image differ from what its plan says.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from bootsmith.errors import ConfigError, HostError
from bootsmith.host.files import FileSource, iter_file
from bootsmith.host.folder_entries import FolderEntry, folder_entries
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import GuestPath, ancestors, display, guest_path
from bootsmith.store.blobs import Store
from bootsmith.tree.entry import (
    BlobSlice,
    Directory,
    Entry,
    HardLink,
    Member,
    Metadata,
    RegularFile,
    Symlink,
)
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer, overlay, read_layer, with_parents
from bootsmith.tree.tar_writer import store_tar


def take_in(source: Path, store: Store) -> Digest:
    """Keep ``source`` as a tar in the store and return its digest.

    Modes and symlinks are kept, also where ``source`` is one itself; everything belongs to root,
    and times are left to the build.  A file named itself is a member of its own name.
    """
    members = tuple(_members(source, store))
    descriptor, _ = store_tar(members, store=store)
    return descriptor.digest


def copy_in(tree: FileTree, layer: Digest, target: str, store: Store, *, epoch_s: int) -> FileTree:
    """``tree`` with what ``take_in`` kept placed at ``target``.

    A folder's contents are merged into the folder at ``target``.  A file becomes ``target``
    itself, or goes into it under its own name when that is a folder or ends with a slash; a
    link takes the place of a link there, and a file that of what a link leads to, as with cp.
    Everything bears the time ``epoch_s``.
    """
    members = [
        _with_time(member, epoch_s) for member in read_layer(store.open_blob(layer), layer).members
    ]
    place = guest_path(target)
    require_folders(tree, ancestors(place))
    first = members[0]
    if not isinstance(first.entry, Directory):
        if target.endswith("/") or _is_folder(tree, place):
            place = guest_path(place + b"/" + first.path)
        elif (there := _written_through(tree, place, first.entry)) is not None:
            place = there
        moved = [Member(place, first.entry)]
    else:
        require_folders(tree, (place,))
        moved = [Member(guest_path(place + b"/" + member.path), member.entry) for member in members]
        if _is_folder(tree, place):  # its owner and mode are the image's, not the host's
            moved = moved[1:]
    folder = Directory(Metadata(0o755, mtime_ns=epoch_s * 1_000_000_000))
    placed = with_parents(tree, Layer(tuple(moved)), folder)
    return overlay(tree, placed, keep_directory_symlinks=True)


def _with_time(member: Member, epoch_s: int) -> Member:
    entry = member.entry
    assert not isinstance(entry, HardLink)  # ``take_in`` makes none
    metadata = entry.metadata._replace(mtime_ns=epoch_s * 1_000_000_000)
    return Member(member.path, entry._replace(metadata=metadata))


def require_folders(tree: FileTree, folders: Iterable[GuestPath]) -> None:
    """Raises ``ConfigError`` when one of ``folders`` is a file in the image."""
    for folder in folders:
        place = tree.resolve(folder)
        if place is not None and not isinstance(tree.get(place), Directory):
            raise ConfigError(
                f"/{display(folder)} is a file in the image, and nothing can be put below it",
                hint="choose another place in postBuild.copy[].dest or files[].path",
            )


def _written_through(tree: FileTree, place: GuestPath, entry: Entry) -> GuestPath | None:
    """What is replaced when ``place`` is a link; a link put there would lead to itself."""
    return None if isinstance(entry, Symlink) else tree.resolve(place)


def _is_folder(tree: FileTree, path: GuestPath) -> bool:
    resolved = tree.resolve(path)
    return resolved is not None and isinstance(tree.get(resolved), Directory)


def _members(source: Path, store: Store) -> Iterator[Member]:
    for found in folder_entries(source, keep_link=True):
        # A file named itself keeps its name, in case the target turns out to be a folder.
        alone = not found.relative and not stat.S_ISDIR(found.mode)
        path = guest_path(source.name) if alone else guest_path(found.relative)
        yield Member(path, _entry(found, store))


def _entry(found: FolderEntry, store: Store) -> Entry:
    metadata = Metadata(stat.S_IMODE(found.mode))
    if stat.S_ISDIR(found.mode):
        return Directory(metadata)
    if stat.S_ISLNK(found.mode):
        return Symlink(Metadata(0o777), found.target)
    if not stat.S_ISREG(found.mode):
        raise HostError(f"{found.path} is neither a file nor a folder nor a symbolic link")
    with FileSource(found.path) as data:
        kept = store.add_blob(iter_file(data))  # its size may be unknown before (/proc)
    return RegularFile(metadata, BlobSlice(kept.digest, 0, kept.size_bytes))
