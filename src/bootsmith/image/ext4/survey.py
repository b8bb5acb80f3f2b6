"""What a tree needs of a file system, whatever its size: inodes, attributes, content."""

from __future__ import annotations

from typing import NamedTuple

from bootsmith.errors import ImageError
from bootsmith.image.ext4.allocation import BlockRange, block_ranges
from bootsmith.image.ext4.directory import ENTRIES_BYTES, fill_block, seal_blocks
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


class Stored(NamedTuple):
    """Content that takes blocks: of a file, a directory or a long symlink."""

    inode: int
    content: Content
    ranges: tuple[BlockRange, ...]


class Survey(NamedTuple):
    """``stored`` is in the order in which it will lie on disk: directories, symlinks, files."""

    inventory: Inventory
    xattrs: dict[int, StoredXattrs]
    stored: list[Stored]

    @property
    def block_count(self) -> int:
        """Blocks of content and attributes, without those that index extents."""
        content = sum(count for stored in self.stored for _, count in stored.ranges)
        return content + sum(1 for xattrs in self.xattrs.values() if xattrs.block)


def survey(tree: FileTree, options: Ext4Options) -> Survey:
    """Raises ``ImageError``, which names the path, for what ext4 cannot hold."""
    inventory = take_inventory(tree, created_s=options.created_s)
    symlinks: list[Stored] = []
    files: list[Stored] = []
    xattrs: dict[int, StoredXattrs] = {}
    encoded: dict[Xattrs, StoredXattrs] = {(): StoredXattrs(b"", b"")}
    for number, (path, entry, _) in inventory.inodes.items():
        try:
            _check(entry)
            if entry.metadata.xattrs:
                if entry.metadata.xattrs not in encoded:
                    encoded[entry.metadata.xattrs] = encode_xattrs(entry.metadata.xattrs)
                xattrs[number] = encoded[entry.metadata.xattrs]
            if type(entry) is RegularFile:
                if ranges := block_ranges(entry.content):
                    files.append(Stored(number, entry.content, ranges))
            elif type(entry) is Symlink and len(entry.target) > FAST_SYMLINK_MAX_BYTES:
                symlinks.append(Stored(number, InlineBytes(entry.target), (BlockRange(0, 1),)))
        except ImageError as error:
            raise ImageError(f"{display(path) or '/'}: {error}", hint=error.hint) from error
    directories = _directories(inventory, options)
    return Survey(inventory, xattrs, [*directories, *symlinks, *files])


def _check(entry: Inode) -> None:
    check_ids(entry.metadata.uid, entry.metadata.gid)
    if type(entry) is Symlink:
        if not 0 < len(entry.target) < BLOCK_BYTES or b"\0" in entry.target:
            raise ImageError("the target of a symbolic link has 1 to 4095 bytes and no NUL")
    elif type(entry) is Device:
        encode_device(entry.major, entry.minor)


def _directories(inventory: Inventory, options: Ext4Options) -> list[Stored]:
    """The blocks of every directory, checksums included."""
    numbers = list(inventory.directories)
    seeds = inode_seeds(numbers, uuid_seed(options.uuid))
    blocks: dict[int, list[bytes | bytearray]] = {}
    unsealed: list[bytearray] = []
    unsealed_seeds: list[int] = []
    for number, seed in zip(numbers, seeds, strict=True):
        entries = inventory.directories[number]
        if sum(map(len, entries)) <= ENTRIES_BYTES:
            leaves = [fill_block(entries)]
            blocks[number] = [*leaves]
        else:
            nodes, leaves = hashed_directory(
                entries[:2], entries[2:], hash_seed=options.hash_seed, checksum_seed=seed
            )
            blocks[number] = [*nodes, *leaves]
        unsealed += leaves
        unsealed_seeds += [seed] * len(leaves)
    seal_blocks(unsealed_seeds, unsealed)
    return [
        Stored(number, InlineBytes(b"".join(parts)), (BlockRange(0, len(parts)),))
        for number, parts in blocks.items()
    ]
