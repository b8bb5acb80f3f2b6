"""What a tree needs of a file system, whatever its size: inodes, attributes, content."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bootsmith.errors import ImageError
from bootsmith.image.ext4.allocation import BlockRange, block_ranges
from bootsmith.image.ext4.directory_writer import hash_large
from bootsmith.image.ext4.htree import HashedDirectory
from bootsmith.image.ext4.inode import (
    FAST_SYMLINK_MAX_BYTES,
    check_ids,
    encode_device,
)
from bootsmith.image.ext4.inventory import Inventory, take_inventory
from bootsmith.image.ext4.options import Ext4Options
from bootsmith.image.ext4.structures import BLOCK_BYTES
from bootsmith.image.ext4.xattr import StoredXattrs, encode_xattrs
from bootsmith.model.guest_path import display
from bootsmith.tree.entry import (
    Content,
    Device,
    InlineBytes,
    Inode,
    RegularFile,
    Symlink,
    Xattrs,
)
from bootsmith.tree.file_tree import FileTree


class Survey(NamedTuple):
    """``hashed`` are the directories of more than one block, by inode.

    ``contents`` are symbolic links too long for their inode, and then files, by inode, in the
    order in which they will lie on disk, after the directories.  ``block_count`` is what all
    these and the attributes take, without the blocks that index extents.
    """

    inventory: Inventory
    xattrs: dict[int, StoredXattrs]
    hashed: dict[int, HashedDirectory]
    contents: dict[int, Content]
    block_count: int

    def block_ranges(self) -> Iterator[tuple[int, tuple[BlockRange, ...]]]:
        """What every inode takes that takes blocks, in the order of the disk."""
        for number in self.inventory.directories:
            found = self.hashed.get(number)
            yield number, (BlockRange(0, found.block_count if found else 1),)
        for number, content in self.contents.items():
            yield number, block_ranges(content)


def survey(tree: FileTree, options: Ext4Options) -> Survey:
    """Raises ``ImageError``, which names the path, for what ext4 cannot hold."""
    inventory = take_inventory(tree, created_s=options.created_s)
    hashed = hash_large(inventory.directories, options.hash_seed)
    files: dict[int, Content] = {}
    contents: dict[int, Content] = {}
    xattrs: dict[int, StoredXattrs] = {}
    encoded: dict[Xattrs, StoredXattrs] = {}
    block_count = len(inventory.directories) - len(hashed)
    block_count += sum(directory.block_count for directory in hashed.values())
    for path, number in inventory.numbers.items():
        entry = inventory.inodes[number]
        try:
            _check(entry)
            if found := entry.metadata.xattrs:
                if found not in encoded:
                    encoded[found] = encode_xattrs(found)
                xattrs[number] = encoded[found]
                block_count += encoded[found].block != b""
            if isinstance(entry, RegularFile):
                if ranges := block_ranges(entry.content):
                    files[number] = entry.content
                    block_count += sum(blocks.length for blocks in ranges)
            elif isinstance(entry, Symlink) and len(entry.target) > FAST_SYMLINK_MAX_BYTES:
                contents[number] = InlineBytes(entry.target)
                block_count += 1
        except ImageError as error:
            raise ImageError(f"{display(path) or '/'}: {error}", hint=error.hint) from error
    contents.update(files)
    return Survey(inventory, xattrs, hashed, contents, block_count)


def _check(entry: Inode) -> None:
    check_ids(entry.metadata.uid, entry.metadata.gid)
    if isinstance(entry, Symlink):
        if not 0 < len(entry.target) < BLOCK_BYTES or b"\0" in entry.target:
            raise ImageError("the target of a symbolic link has 1 to 4095 bytes and no NUL")
    elif isinstance(entry, Device):
        encode_device(entry.major, entry.minor)
