"""Bitmaps and descriptors of block groups."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from bootsmith.image.ext4.checksum import crc32c
from bootsmith.image.ext4.geometry import (
    BLOCKS_PER_GROUP,
    Geometry,
    GroupPlaces,
    Interval,
    has_backup,
)
from bootsmith.image.ext4.structures import (
    BLOCK_BYTES,
    GROUP_DESCRIPTOR,
    GroupDescriptor,
    GroupFlag,
)

_ALL_BITS = (1 << BLOCKS_PER_GROUP) - 1


class Group(NamedTuple):
    """``descriptor`` is complete; a bitmap is ``None`` where the kernel makes it up itself."""

    descriptor: bytes
    block_bitmap: bytes | None
    inode_bitmap: bytes | None


def describe_groups(
    geometry: Geometry,
    *,
    free: Sequence[Interval],
    used_inodes: int,
    directories: Collection[int],
    seed: int,
) -> list[Group]:
    """Every group, with the inodes 1 to ``used_inodes`` and all blocks but ``free`` in use.

    ``directories`` are inode numbers; ``seed`` is the checksum of the file system's UUID.
    """
    per_group = geometry.inodes_per_group
    directory_counts = [0] * len(geometry.groups)
    for number in directories:
        directory_counts[(number - 1) // per_group] += 1
    pieces = _split(free, len(geometry.groups))
    return [
        _describe(
            number,
            places,
            geometry,
            free=pieces[number],
            used_inodes=max(0, min(per_group, used_inodes - number * per_group)),
            directories=directory_counts[number],
            seed=seed,
        )
        for number, places in enumerate(geometry.groups)
    ]


def _describe(
    number: int,
    places: GroupPlaces,
    geometry: Geometry,
    *,
    free: Sequence[Interval],
    used_inodes: int,
    directories: int,
    seed: int,
) -> Group:
    per_group = geometry.inodes_per_group
    free_blocks = sum(end - start for start, end in free)
    flags = GroupFlag.INODE_ZEROED  # a hole reads as zeros: nothing is left for the kernel to do
    block_bitmap = inode_bitmap = None
    own_blocks = 1 + geometry.descriptor_blocks + geometry.reserved_gdt_blocks
    untouched = BLOCKS_PER_GROUP - (own_blocks if has_backup(number) else 0)
    if free_blocks == untouched and number + 1 < len(geometry.groups):
        flags |= GroupFlag.BLOCK_UNINIT
    else:
        block_bitmap = _block_bitmap(number, free)
    if used_inodes:
        unused_bits = (1 << per_group) - (1 << used_inodes)
        inode_bitmap = (_ALL_BITS ^ unused_bits).to_bytes(BLOCK_BYTES, "little")
    else:
        flags |= GroupFlag.INODE_UNINIT
    descriptor = GroupDescriptor(
        *places,
        free_blocks_count=free_blocks,
        free_inodes_count=per_group - used_inodes,
        used_dirs_count=directories,
        flags=flags,
        block_bitmap_csum=_checksum(seed, block_bitmap or b""),
        inode_bitmap_csum=_checksum(seed, (inode_bitmap or b"")[: per_group // 8]),
        itable_unused=per_group - used_inodes,
    )
    return Group(seal_descriptor(number, descriptor, seed), block_bitmap, inode_bitmap)


def seal_descriptor(number: int, descriptor: GroupDescriptor, seed: int) -> bytes:
    """The descriptor of group ``number`` with its checksum, which must be zero before."""
    data = GROUP_DESCRIPTOR.pack(*descriptor)
    checksum = crc32c(crc32c(seed, number.to_bytes(4, "little")), data) & 0xFFFF
    return GROUP_DESCRIPTOR.pack(*descriptor._replace(checksum=checksum))


def _block_bitmap(group: int, free: Sequence[Interval]) -> bytes:
    base = group * BLOCKS_PER_GROUP
    bits = _ALL_BITS  # the padding behind a short last group stays set
    for start, end in free:
        bits ^= (1 << (end - base)) - (1 << (start - base))
    return bits.to_bytes(BLOCK_BYTES, "little")


def _checksum(seed: int, bitmap: bytes) -> int:
    return crc32c(seed, bitmap) & 0xFFFF if bitmap else 0


def _split(free: Sequence[Interval], groups: int) -> list[list[Interval]]:
    """``free`` cut at the borders of the groups."""
    pieces: list[list[Interval]] = [[] for _ in range(groups)]
    for start, end in free:
        for group in range(start // BLOCKS_PER_GROUP, -(-end // BLOCKS_PER_GROUP)):
            low = max(start, group * BLOCKS_PER_GROUP)
            high = min(end, (group + 1) * BLOCKS_PER_GROUP)
            if low < high:
                pieces[group].append(Interval(low, high))
    return pieces
