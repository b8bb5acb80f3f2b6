"""A tree as ext4 sees it: numbered inodes, names in directories, counts of links."""

from __future__ import annotations

from typing import Final, NamedTuple

from bootsmith.errors import ImageError
from bootsmith.image.ext4.directory import dot_entries, encode_entry
from bootsmith.image.ext4.structures import (
    LINKS_MAX,
    LOST_AND_FOUND_INODE,
    ROOT_INODE,
    FileType,
)
from bootsmith.model.guest_path import ROOT, GuestPath, display
from bootsmith.tree.entry import (
    Device,
    Directory,
    Fifo,
    HardLink,
    Inode,
    Metadata,
    RegularFile,
    Symlink,
)
from bootsmith.tree.file_tree import FileTree

LOST_AND_FOUND: Final = GuestPath(b"lost+found")

_FILE_TYPES = {
    RegularFile: FileType.REGULAR,
    Directory: FileType.DIRECTORY,
    Symlink: FileType.SYMLINK,
    Fifo: FileType.FIFO,
}


class Numbered(NamedTuple):
    """An inode to be: what it is, and how many names lead to it."""

    path: GuestPath
    entry: Inode
    links: int


class Inventory(NamedTuple):
    """``inodes`` by number, ascending; ``directories`` have their encoded entries by number.

    The first two entries of a directory are ``.`` and ``..``; the others follow in order of
    name, hard links last.
    """

    inodes: dict[int, Numbered]
    directories: dict[int, list[bytes]]

    @property
    def last_inode(self) -> int:
        return next(reversed(self.inodes))


def take_inventory(tree: FileTree, *, created_s: int) -> Inventory:
    """Number the inodes of ``tree`` in order of path.

    A ``lost+found`` is added when there is none, as e2fsck misses it otherwise.  Raises
    ``ImageError`` for more hard links to a file than ext4 can count.
    """
    entries = _entries(tree, created_s)
    numbers = _number(entries)
    links: dict[int, int] = dict.fromkeys(numbers.values(), 0)
    directories: dict[int, list[bytes]] = {}
    hard_links: list[tuple[int, bytes, GuestPath]] = []
    for path, entry in entries.items():
        above, _, name = path.rpartition(b"/")
        parent = numbers[GuestPath(above)]
        if isinstance(entry, HardLink):
            hard_links.append((parent, name, entry.target))
            continue
        number = numbers[path]
        if isinstance(entry, Directory):
            directories[number] = dot_entries(number, parent)
            links[number] += 2
            links[parent] += number != parent
        else:
            links[number] += 1
        if path:
            directories[parent].append(encode_entry(name, number, _file_type(entry)))
    for parent, name, target in hard_links:
        number = numbers[target]
        links[number] += 1
        directories[parent].append(encode_entry(name, number, _file_type(tree.inode(target))))
    inodes = {
        number: Numbered(path, tree_entry, _countable(links[number], path, tree_entry))
        for path, number in numbers.items()
        if not isinstance(tree_entry := entries[path], HardLink)
    }
    return Inventory(dict(sorted(inodes.items())), directories)


def _entries(tree: FileTree, created_s: int) -> dict[GuestPath, Inode | HardLink]:
    entries = dict(tree.items())
    found = entries.get(LOST_AND_FOUND)
    if found is None:
        metadata = Metadata(0o700, mtime_ns=created_s * 1_000_000_000)
        entries[LOST_AND_FOUND] = Directory(metadata)
    elif not isinstance(found, Directory):
        raise ImageError(
            "/lost+found is not a directory, which no check of an ext4 file system accepts",
            hint="remove or rename /lost+found",
        )
    return entries


def _number(entries: dict[GuestPath, Inode | HardLink]) -> dict[GuestPath, int]:
    numbers = {ROOT: ROOT_INODE, LOST_AND_FOUND: LOST_AND_FOUND_INODE}
    last = LOST_AND_FOUND_INODE
    for path, entry in entries.items():
        if type(entry) is not HardLink and path not in numbers:
            last += 1
            numbers[path] = last
    return numbers


def _file_type(entry: Inode) -> int:
    if isinstance(entry, Device):
        return FileType.BLOCK if entry.is_block else FileType.CHARACTER
    return _FILE_TYPES[type(entry)]


def _countable(links: int, path: GuestPath, entry: Inode) -> int:
    if links <= LINKS_MAX:
        return links
    if isinstance(entry, Directory):
        return 1  # dir_nlink: too many subdirectories to count
    raise ImageError(
        f"{display(path)} has {links} names, and ext4 counts to {LINKS_MAX}",
    )
