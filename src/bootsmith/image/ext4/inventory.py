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


class Inventory(NamedTuple):
    """Everything by number of inode.

    ``numbers`` has the number of each path that is no hard link, ``links`` how many names each
    inode has, and ``directories`` their encoded entries: ``.`` and ``..``, the others in order
    of name, hard links last.
    """

    numbers: dict[GuestPath, int]
    inodes: dict[int, Inode]
    links: dict[int, int]
    directories: dict[int, list[bytes]]

    @property
    def last_inode(self) -> int:
        return max(self.inodes)


def take_inventory(tree: FileTree, *, created_s: int) -> Inventory:
    """Number the inodes of ``tree`` in order of path.

    A ``lost+found`` is added when there is none, as e2fsck misses it otherwise.  Raises
    ``ImageError`` for more hard links to a file than ext4 can count.
    """
    entries = _entries(tree, created_s)
    numbers = _number(entries)
    links: dict[int, int] = dict.fromkeys(numbers.values(), 0)
    inodes: dict[int, Inode] = {}
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
        inodes[number] = entry
    for parent, name, target in hard_links:
        number = numbers[target]
        links[number] += 1
        directories[parent].append(encode_entry(name, number, _file_type(inodes[number])))
    if links and max(links.values()) > LINKS_MAX:
        _limit_links(numbers, inodes, links)
    return Inventory(numbers, inodes, links, directories)


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


def _limit_links(
    numbers: dict[GuestPath, int], inodes: dict[int, Inode], links: dict[int, int]
) -> None:
    for path, number in numbers.items():
        if links[number] > LINKS_MAX:
            if not isinstance(inodes[number], Directory):
                raise ImageError(
                    f"{display(path)} has {links[number]} names, and ext4 counts to {LINKS_MAX}"
                )
            links[number] = 1  # dir_nlink: too many subdirectories to count
