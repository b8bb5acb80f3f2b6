"""The root of an Alpine system as something to begin with (``alpine.minirootfs``).

Nobody signs such an archive in a way that can be checked here, and packages are installed from
signed repositories anyway.  So what its packages own is taken out of it first, by what its own
database says; what stays is what no package owns, and configuration and directories that were
changed, which is the business of whoever made it.  A database that lies changes what stays, and
no more than that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from bootsmith.errors import ArchiveError, ImageError, PlatformNotFound, ResolveError, UnsafePath
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import ROOT, GuestPath, ancestors, display, guest_path, join, name
from bootsmith.model.streams import BlobSource, ByteSource, bounded, chunks
from bootsmith.sources.alpine.apk_database import ADMIN_FOLDER
from bootsmith.sources.alpine.dependency import Dependency
from bootsmith.sources.alpine.install import FIRST_FOLDERS, is_protected
from bootsmith.sources.alpine.owned import OwnedFolder, read_owned
from bootsmith.sources.alpine.world import parse_world
from bootsmith.sources.inflate import inflated
from bootsmith.tree.contents import content_chunks, read_content
from bootsmith.tree.device_nodes import usual_devices
from bootsmith.tree.entry import Device, Directory, Inode, RegularFile, Symlink
from bootsmith.tree.file_tree import IMPLIED_DIRECTORY, FileTree, TreeBuilder
from bootsmith.tree.layer import WHITEOUT_PREFIX, Layer, overlay, read_layer

_SUFFIXES = {b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst", b"\xfd7zXZ\0": ".xz"}
_MAGIC_MOST_BYTES = max(map(len, _SUFFIXES))
# The whole of a system is never packed better than to a twentieth.
_UNPACKED_MOST_TIMES = 64
_UNPACKED_LEAST_BYTES = 64 << 20
_TEXT_MOST_BYTES = 1 << 20
_DATABASE_MOST_BYTES = 64 << 20
_HASHED_MOST_BYTES = 1 << 30  # no configuration is larger, but a file of holes may be

_WORLD = "etc/apk/world"
_ARCH = "etc/apk/arch"
_DATABASE = f"{ADMIN_FOLDER}/installed"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseRoot:
    """What an image begins as.

    ``tree`` is without what packages own, ``returned`` are directories of it that are packages'
    again when one has them, and ``world`` is what was asked for in it.
    """

    tree: FileTree
    returned: frozenset[GuestPath]
    world: tuple[Dependency, ...]


def is_packed(archive: ByteSource) -> bool:
    """Whether ``archive`` is compressed."""
    return bool(_suffix(archive))


def unpacked(archive: ByteSource) -> Iterator[bytes]:
    """The tar in ``archive``, which is compressed with gzip, zstd or xz, or not at all.

    Raises ``ArchiveError`` when it is damaged, or far larger than any system.
    """
    data = chunks(archive, 0, archive.size_bytes)
    most_bytes = _UNPACKED_LEAST_BYTES + _UNPACKED_MOST_TIMES * archive.size_bytes
    yield from bounded(inflated(data, _suffix(archive)), most_bytes, "what it unpacks to")


def read_minirootfs(tar: ByteSource, blob: Digest, *, arch: str, blobs: BlobSource) -> BaseRoot:
    """The root in ``tar``, a blob that ``blobs`` has.

    Raises ``ArchiveError`` when it is no root of Alpine or holds what no root may hold,
    ``UnsafePath`` for paths and links that lead out of it, and ``PlatformNotFound`` when it is
    not of ``arch``.
    """
    layer = read_layer(tar, blob)
    _check_members(layer)
    tree = overlay(FileTree(), layer)
    found = _text(tree, _ARCH, blobs).strip()
    if found != arch:
        raise PlatformNotFound(
            f"it is a root of {found!r}, and the image is for {arch}",
            hint="name the archive of the same architecture, or build with --arch",
        )
    world = _world(_text(tree, _WORLD, blobs))
    database = _file(tree, _DATABASE, blobs, most_bytes=_DATABASE_MOST_BYTES)
    rest, returned = _without_packages(tree, read_owned(database), blobs)
    return BaseRoot(tree=rest, returned=returned, world=world)


def _suffix(archive: ByteSource) -> str:
    head = archive.read_at(0, _MAGIC_MOST_BYTES)
    return next((suffix for magic, suffix in _SUFFIXES.items() if head.startswith(magic)), "")


def _check_members(layer: Layer) -> None:
    usual = usual_devices()
    for path, entry in layer.members:
        if isinstance(entry, Device):
            known = usual.get(display(path))
            if known != (entry.is_block, entry.major, entry.minor):
                raise ArchiveError(
                    f"{display(path)} is a device that no root needs",
                    member=display(path),
                    hint="leave devices out of the archive; the kernel makes them",
                )
        elif isinstance(entry, Symlink):
            if _leads_out(path, entry.target):
                raise UnsafePath(
                    f"{display(path)} is a link out of the root, to {display(entry.target)}",
                    member=display(path),
                )
        elif name(path).startswith(WHITEOUT_PREFIX):
            raise ArchiveError(
                f"{display(path)} hides a file of another layer: this is no whole root",
                member=display(path),
            )


def _leads_out(path: GuestPath, target: bytes) -> bool:
    """Whether ``target`` climbs above the root, links on its way apart."""
    depth = 0 if target.startswith(b"/") else len(ancestors(path))
    for segment in target.split(b"/"):
        if segment == b"..":
            depth -= 1
            if depth < 0:
                return True
        elif segment not in (b"", b"."):
            depth += 1
    return False


def _text(tree: FileTree, path: str, blobs: BlobSource) -> str:
    data = _file(tree, path, blobs, most_bytes=_TEXT_MOST_BYTES)
    return data.decode("utf-8", "surrogateescape")


def _file(tree: FileTree, path: str, blobs: BlobSource, *, most_bytes: int) -> bytes:
    place = tree.resolve(guest_path(path))
    entry = None if place is None else tree.inode(place)
    if not isinstance(entry, RegularFile):
        raise ArchiveError(
            f"it has no {path}, so it is no root of an Alpine system",
            member=path,
            hint="name an alpine-minirootfs-*.tar.gz, or a tar of a root that apk installed",
        )
    try:
        return read_content(entry.content, blobs=blobs, most_bytes=most_bytes)
    except ImageError as error:
        raise ArchiveError(f"{path}: {error}", member=path) from error


def _world(text: str) -> tuple[Dependency, ...]:
    try:
        return parse_world(text.split())
    except ResolveError as error:
        message = f"{_WORLD}: {str(error).splitlines()[0]}"
        raise ArchiveError(message, member=_WORLD) from error


def _without_packages(
    tree: FileTree, folders: list[OwnedFolder], blobs: BlobSource
) -> tuple[FileTree, frozenset[GuestPath]]:
    """``tree`` without what ``folders`` tell, and those of its directories that are as there."""
    builder = TreeBuilder(tree)
    owned = dict.fromkeys(_first_folders(tree), True)  # whether each is as it was made
    for folder in folders:
        here = tree.resolve(folder.path)
        if here is None:
            continue
        there = tree[here]
        if not isinstance(there, Directory):
            raise _lie(folder.path, "a directory", folder)
        owned[here] = owned.get(here, False) or there.metadata[:3] == folder.metadata[:3]
        for place in _files_to_go(tree, folder, here, blobs):
            if place in builder:  # not told twice
                builder.remove(place)
    _remove_marks(builder)
    for path in sorted(owned, key=lambda one: (-one.count(b"/"), one)):
        if path and owned[path] and not builder.children(path):
            builder.remove(path)
    returned = frozenset(path for path, as_made in owned.items() if as_made and path in builder)
    return builder.build(), returned


def _files_to_go(
    tree: FileTree, folder: OwnedFolder, here: GuestPath, blobs: BlobSource
) -> Iterator[GuestPath]:
    """The files of ``folder``, which lies ``here``, that are still what a package brought."""
    for path, checksum in folder.files.items():
        place = join(here, name(path))
        if place not in tree:
            continue
        entry = tree.inode(place)
        if isinstance(entry, Directory):
            raise _lie(path, "a file", folder)
        if not _stays(place, entry, checksum, blobs):
            yield place


def _remove_marks(builder: TreeBuilder) -> None:
    """Take away what no package and nobody else made: files that a container's export has where
    devices belong, and the time of the root."""
    for device in map(guest_path, usual_devices()):
        if isinstance(builder.get(device), RegularFile):
            builder.remove(device)
    root = builder.inode(ROOT)
    if root is not None and root.metadata[:3] == IMPLIED_DIRECTORY.metadata[:3]:
        builder.change(ROOT, IMPLIED_DIRECTORY)


def _first_folders(tree: FileTree) -> Iterator[GuestPath]:
    """Those that apk makes before any package comes, where they are as it makes them."""
    for path, mode in FIRST_FOLDERS.items():
        place = tree.resolve(guest_path(path))
        there = None if place is None else tree[place]
        if place and isinstance(there, Directory) and there.metadata[:3] == (mode, 0, 0):
            yield place


def _stays(place: GuestPath, entry: Inode, checksum: Digest | None, blobs: BlobSource) -> bool:
    """Whether the file is the user's by now: apk keeps what was changed where that may be."""
    return is_protected(place) and (checksum is None or _sha1(entry, blobs) != checksum)


def _sha1(entry: Inode, blobs: BlobSource) -> Digest | None:
    digest = hashlib.sha1(usedforsecurity=False)
    match entry:
        case Symlink(_, target):
            digest.update(target)
        case RegularFile(_, content) if content.size_bytes <= _HASHED_MOST_BYTES:
            for chunk in content_chunks(content, blobs=blobs):
                digest.update(chunk)
        case _:
            return None
    return Digest("sha1", digest.hexdigest())


def _lie(path: GuestPath, what: str, folder: OwnedFolder) -> ArchiveError:
    return ArchiveError(
        f"its database calls {display(path)} {what} of {folder.package}, and it is none",
        member=display(path),
        hint="have the archive made anew",
    )
