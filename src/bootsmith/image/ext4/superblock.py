"""The superblock of a new file system."""

from __future__ import annotations

from bootsmith.image.ext4.checksum import crc32c
from bootsmith.image.ext4.geometry import BLOCKS_PER_GROUP, LOG_GROUPS_PER_FLEX, Geometry
from bootsmith.image.ext4.half_md4 import HASH_VERSION
from bootsmith.image.ext4.options import Ext4Options
from bootsmith.image.ext4.structures import (
    EXTRA_INODE_BYTES,
    INODE_BYTES,
    JOURNAL_INODE,
    LOST_AND_FOUND_INODE,
    SUPERBLOCK,
    Compat,
    Incompat,
    ReadOnlyCompat,
    Superblock,
    SuperblockFlag,
)

_LOG_BLOCK_SIZE = 2  # 1024 << 2
_STATE_CLEAN = 1  # EXT4_VALID_FS
_ERRORS_CONTINUE = 1
_REVISION_DYNAMIC = 1
_NO_MOUNT_COUNT = 0xFFFF  # never check just because of many mounts
_CRC32C = 1  # s_checksum_type
_JOURNAL_BACKUP_BLOCKS = 1  # s_jnl_backup_type: s_jnl_blocks is a copy of the journal's i_block
_MOUNT_XATTR_ACL = 0x4 | 0x8  # EXT4_DEFM_XATTR_USER, EXT4_DEFM_ACL

_INCOMPAT = Incompat.FILETYPE | Incompat.EXTENTS | Incompat.FLEX_BG
_READ_ONLY_COMPAT = (
    ReadOnlyCompat.SPARSE_SUPER
    | ReadOnlyCompat.LARGE_FILE
    | ReadOnlyCompat.HUGE_FILE
    | ReadOnlyCompat.DIR_NLINK
    | ReadOnlyCompat.EXTRA_ISIZE
    | ReadOnlyCompat.METADATA_CSUM
)


def uuid_seed(uuid: bytes) -> int:
    """What most checksums of a file system start from."""
    return crc32c(0xFFFF_FFFF, uuid)


def new_superblock(
    options: Ext4Options,
    geometry: Geometry,
    *,
    free_blocks: int,
    free_inodes: int,
    journal_blocks: int,
    journal_copy: bytes,
) -> Superblock:
    """The superblock of a clean file system, never mounted.

    ``journal_copy`` is the journal inode's ``i_block`` and size, empty without a journal.
    """
    compat = Compat.EXT_ATTR | Compat.DIR_INDEX
    if options.writable:
        compat |= Compat.HAS_JOURNAL | Compat.RESIZE_INODE
    created, created_hi = options.created_s & 0xFFFF_FFFF, options.created_s >> 32
    return Superblock(
        inodes_count=geometry.inode_count,
        blocks_count_lo=geometry.block_count,
        free_blocks_count_lo=free_blocks,
        free_inodes_count=free_inodes,
        log_block_size=_LOG_BLOCK_SIZE,
        log_cluster_size=_LOG_BLOCK_SIZE,
        blocks_per_group=BLOCKS_PER_GROUP,
        clusters_per_group=BLOCKS_PER_GROUP,
        inodes_per_group=geometry.inodes_per_group,
        wtime=created,
        max_mnt_count=_NO_MOUNT_COUNT,
        state=_STATE_CLEAN,
        errors=_ERRORS_CONTINUE,
        lastcheck=created,
        rev_level=_REVISION_DYNAMIC,
        first_ino=LOST_AND_FOUND_INODE,
        inode_size=INODE_BYTES,
        feature_compat=compat,
        feature_incompat=_INCOMPAT,
        feature_ro_compat=_READ_ONLY_COMPAT,
        uuid=options.uuid,
        volume_name=options.label.encode(),
        reserved_gdt_blocks=geometry.reserved_gdt_blocks,
        journal_inum=JOURNAL_INODE if options.writable else 0,
        hash_seed=options.hash_seed,
        def_hash_version=HASH_VERSION,
        jnl_backup_type=_JOURNAL_BACKUP_BLOCKS if options.writable else 0,
        default_mount_opts=_MOUNT_XATTR_ACL,
        mkfs_time=created,
        jnl_blocks=journal_copy,
        min_extra_isize=EXTRA_INODE_BYTES,
        want_extra_isize=EXTRA_INODE_BYTES,
        flags=SuperblockFlag.UNSIGNED_HASH,
        log_groups_per_flex=LOG_GROUPS_PER_FLEX,
        checksum_type=_CRC32C,
        overhead_clusters=geometry.block_count - geometry.free_blocks + journal_blocks,
        wtime_hi=created_hi,
        mkfs_time_hi=created_hi,
        lastcheck_hi=created_hi,
    )


def encode_superblock(superblock: Superblock, *, group: int) -> bytes:
    """The 1024 bytes that stand in block group ``group``, with their checksum."""
    blank = SUPERBLOCK.pack(*superblock._replace(block_group_nr=group, checksum=0))
    return blank[:-4] + crc32c(0xFFFF_FFFF, blank[:-4]).to_bytes(4, "little")
