"""What a tree needs of a file system, whatever its size: inodes, attributes, content."""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from bootsmith.errors import ImageError
from bootsmith.image.ext4.allocation import block_ranges
from bootsmith.image.ext4.directory import ENTRIES_BYTES, entry_name, fill_block, seal_blocks
from bootsmith.image.ext4.half_md4 import NameHash, hash_names
from bootsmith.image.ext4.htree import hashed_directory
from bootsmith.image.ext4.inode import (
    FAST_SYMLINK_MAX_BYTES,
    check_ids,
    encode_device,
    inode_seeds,
)
from bootsmith.image.ext4.inventory import Inventory, take_inventory
from bootsmith.image.ext4.options import Ext4Options
from bootsmith.image.ext4.structures import BLOCK_BYTES
from bootsmith.image.ext4.superblock import uuid_seed
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
    """``contents`` are what takes blocks, by inode, in the order in which they will lie on disk.

    These are directories, symbolic links too long for their inode, and files.  ``block_count``
    is what they and the attributes take, without the blocks that index extents.
    """

    inventory: Inventory
    xattrs: dict[int, StoredXattrs]
    contents: dict[int, Content]
    block_count: int


def survey(tree: FileTree, options: Ext4Options) -> Survey:
    """Raises ``ImageError``, which names the path, for what ext4 cannot hold."""
    inventory = take_inventory(tree, created_s=options.created_s)
    files: dict[int, Content] = {}
    contents: dict[int, Content] = {}
    xattrs: dict[int, StoredXattrs] = {}
    encoded: dict[Xattrs, StoredXattrs] = {}
    block_count = 0
    for number, data in _directories(inventory, options).items():
        contents[number] = InlineBytes(data)
        block_count += len(data) // BLOCK_BYTES
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
    return Survey(inventory, xattrs, contents, block_count)


def _check(entry: Inode) -> None:
    check_ids(entry.metadata.uid, entry.metadata.gid)
    if isinstance(entry, Symlink):
        if not 0 < len(entry.target) < BLOCK_BYTES or b"\0" in entry.target:
            raise ImageError("the target of a symbolic link has 1 to 4095 bytes and no NUL")
    elif isinstance(entry, Device):
        encode_device(entry.major, entry.minor)


def _directories(inventory: Inventory, options: Ext4Options) -> dict[int, bytes]:
    """The blocks of every directory, checksums included."""
    seeds = inode_seeds(list(inventory.directories), uuid_seed(options.uuid))
    hashes = _hashes(inventory, options.hash_seed)
    blocks: dict[int, list[bytes | bytearray]] = {}
    unsealed: list[bytearray] = []
    unsealed_seeds: list[int] = []
    for (number, entries), seed in zip(inventory.directories.items(), seeds, strict=True):
        if number in hashes:
            nodes, leaves = hashed_directory(entries[:2], entries[2:], hashes[number], seed=seed)
            blocks[number] = [*nodes, *leaves]
        else:
            leaves = [fill_block(entries)]
            blocks[number] = [*leaves]
        unsealed += leaves
        unsealed_seeds += [seed] * len(leaves)
    seal_blocks(unsealed_seeds, unsealed)
    return {number: b"".join(parts) for number, parts in blocks.items()}


def _hashes(inventory: Inventory, seed: bytes) -> dict[int, list[NameHash]]:
    """The hashes of all names in directories that need an index, found in one go."""
    large = {
        number: entries[2:]
        for number, entries in inventory.directories.items()
        if sum(map(len, entries)) > ENTRIES_BYTES
    }
    names = [entry_name(entry) for entries in large.values() for entry in entries]
    found = iter(hash_names(names, seed))
    return {number: list(islice(found, len(entries))) for number, entries in large.items()}
