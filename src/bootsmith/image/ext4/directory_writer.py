"""The directories of a tree as blocks, made when it is their turn: each takes at least 4 KiB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from bootsmith.image.ext4.directory import ENTRIES_BYTES, entry_name, seal_blocks
from bootsmith.image.ext4.half_md4 import hash_names
from bootsmith.image.ext4.htree import HashedDirectory, hashed_directory, index_nodes
from bootsmith.image.ext4.inode import inode_seeds

_BATCH = 256  # directories: checksums are found for many blocks at once


def hash_large(
    directories: Mapping[int, list[bytes]], hash_seed: bytes
) -> dict[int, HashedDirectory]:
    """Those of ``directories`` (encoded entries by inode) that do not fit one block."""
    large = {
        number: entries
        for number, entries in directories.items()
        if sum(map(len, entries)) > ENTRIES_BYTES
    }
    names = [entry_name(entry) for entries in large.values() for entry in entries[2:]]
    hashes = iter(hash_names(names, hash_seed))
    return {
        number: hashed_directory(entries[:2], entries[2:], list(islice(hashes, len(entries) - 2)))
        for number, entries in large.items()
    }


def write_directories(
    directories: Mapping[int, list[bytes]], hashed: Mapping[int, HashedDirectory], *, seed: int
) -> Iterator[tuple[int, bytes]]:
    """The blocks of each of ``directories``, in their order, checksums included.

    ``hashed`` is what ``hash_large`` found; ``seed`` is the checksum of the file system's UUID.
    """
    numbers = iter(directories)
    while batch := list(islice(numbers, _BATCH)):
        seeds = inode_seeds(batch, seed)
        leaves = [
            [leaf.entries for leaf in hashed[number].leaves]
            if number in hashed
            else [directories[number]]
            for number in batch
        ]
        leaf_seeds = [one for one, blocks in zip(seeds, leaves, strict=True) for _ in blocks]
        sealed = iter(seal_blocks([block for blocks in leaves for block in blocks], leaf_seeds))
        for number, own_seed, blocks in zip(batch, seeds, leaves, strict=True):
            index = index_nodes(hashed[number], seed=own_seed) if number in hashed else []
            yield number, b"".join([*index, *islice(sealed, len(blocks))])
