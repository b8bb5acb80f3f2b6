"""The bookkeeping of an image: bitmaps against their checksums and against the counts."""

from __future__ import annotations

from bootsmith.errors import ArchiveError
from bootsmith.image.ext4.checksum import crc32c
from bootsmith.image.ext4.structures import GroupFlag, ReadOnlyCompat
from bootsmith.image.ext4.volume import Volume


def check_groups(volume: Volume) -> None:
    """Raises ``ArchiveError`` when a bitmap's checksum is wrong, or a count of what is free."""
    superblock = volume.superblock
    if superblock.feature_ro_compat & ReadOnlyCompat.BIGALLOC:
        raise ArchiveError("bitmaps of clusters (bigalloc) are not supported")
    free_blocks = free_inodes = 0
    for group in range(volume.group_count):
        descriptor, high = volume.descriptor(group)
        first = superblock.first_data_block + group * superblock.blocks_per_group
        blocks = min(superblock.blocks_per_group, volume.block_count - first)
        expected = descriptor.free_blocks_count | high.free_blocks_count << 16
        free_blocks += expected
        if not descriptor.flags & GroupFlag.BLOCK_UNINIT:
            _check_bitmap(
                volume,
                group,
                number=descriptor.block_bitmap | high.block_bitmap << 32,
                covered_bits=superblock.blocks_per_group,
                counted_bits=blocks,
                free=expected,
                checksum=descriptor.block_bitmap_csum | high.block_bitmap_csum << 16,
            )
        expected = descriptor.free_inodes_count | high.free_inodes_count << 16
        free_inodes += expected
        if not descriptor.flags & GroupFlag.INODE_UNINIT:
            _check_bitmap(
                volume,
                group,
                number=descriptor.inode_bitmap | high.inode_bitmap << 32,
                covered_bits=superblock.inodes_per_group,
                counted_bits=superblock.inodes_per_group,
                free=expected,
                checksum=descriptor.inode_bitmap_csum | high.inode_bitmap_csum << 16,
            )
    total = superblock.free_blocks_count_lo
    if volume.is_64bit:
        total |= superblock.free_blocks_count_hi << 32
    if (free_blocks, free_inodes) != (total, superblock.free_inodes_count):
        raise ArchiveError("the superblock's counts of what is free are not those of its groups")


def _check_bitmap(
    volume: Volume,
    group: int,
    *,
    number: int,
    covered_bits: int,
    counted_bits: int,
    free: int,
    checksum: int,
) -> None:
    bitmap = volume.read_block(number)[: covered_bits // 8]
    if volume.seed is not None:
        mask = 0xFFFF_FFFF if volume.is_64bit else 0xFFFF
        if crc32c(volume.seed, bitmap) & mask != checksum:
            raise ArchiveError(f"the checksum of a bitmap of group {group} is wrong")
    used = int.from_bytes(bitmap, "little") & ((1 << counted_bits) - 1)
    if counted_bits - used.bit_count() != free:
        raise ArchiveError(f"a bitmap of group {group} does not fit its count of what is free")
