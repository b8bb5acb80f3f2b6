"""The on-disk structures of ext4, as tables.

Names are those of the kernel (``fs/ext4/ext4.h``, ``ext4_extents.h``, ``xattr.h``) without
their prefixes; sizes are asserted as each table is compiled.  Everything is little-endian.
"""

from __future__ import annotations

from enum import IntFlag
from struct import Struct
from typing import Annotated, Final, NamedTuple

from bootsmith.image.ext4.record import (
    U8,
    U16,
    U32,
    U64,
    Raw4,
    Raw8,
    Raw16,
    Raw60,
    Raw64,
    Raw68,
    compile_record,
)

BLOCK_BYTES: Final = 4096
INODE_BYTES: Final = 256
EXTRA_INODE_BYTES: Final = 32  # i_extra_isize: what follows the first 128 bytes, up to i_projid
SUPERBLOCK_OFFSET: Final = 1024
SUPERBLOCK_MAGIC: Final = 0xEF53

ROOT_INODE: Final = 2
RESIZE_INODE: Final = 7
JOURNAL_INODE: Final = 8
LOST_AND_FOUND_INODE: Final = 11  # the first that is not reserved; e2fsck wants the directory
LINKS_MAX: Final = 65_000  # EXT4_LINK_MAX


class Compat(IntFlag):
    """``s_feature_compat``: safe to ignore."""

    HAS_JOURNAL = 0x4
    EXT_ATTR = 0x8
    RESIZE_INODE = 0x10
    DIR_INDEX = 0x20
    SPARSE_SUPER2 = 0x200


class Incompat(IntFlag):
    """``s_feature_incompat``: who does not know one of these must not mount."""

    COMPRESSION = 0x1
    FILETYPE = 0x2
    RECOVER = 0x4
    JOURNAL_DEV = 0x8
    META_BG = 0x10
    EXTENTS = 0x40
    BIT64 = 0x80
    MMP = 0x100
    FLEX_BG = 0x200
    EA_INODE = 0x400
    DIRDATA = 0x1000
    CSUM_SEED = 0x2000
    LARGEDIR = 0x4000
    INLINE_DATA = 0x8000
    ENCRYPT = 0x10000
    CASEFOLD = 0x20000


class ReadOnlyCompat(IntFlag):
    """``s_feature_ro_compat``: who does not know one of these must not write."""

    SPARSE_SUPER = 0x1
    LARGE_FILE = 0x2
    HUGE_FILE = 0x8
    GDT_CSUM = 0x10
    DIR_NLINK = 0x20
    EXTRA_ISIZE = 0x40
    BIGALLOC = 0x200
    METADATA_CSUM = 0x400


class SuperblockFlag(IntFlag):
    """``s_flags``: whether names are hashed as signed or unsigned bytes."""

    SIGNED_HASH = 0x1
    UNSIGNED_HASH = 0x2


class GroupFlag(IntFlag):
    """``bg_flags``."""

    INODE_UNINIT = 0x1
    BLOCK_UNINIT = 0x2
    INODE_ZEROED = 0x4


class InodeFlag:
    """``i_flags``, those that matter here.  Plain numbers: these are tested for every inode."""

    ENCRYPT: Final = 0x800
    INDEX: Final = 0x1000
    EXTENTS: Final = 0x80000
    INLINE_DATA: Final = 0x10000000


class FileType:
    """The type codes of ``ext4_dir_entry_2.file_type``, and those of ``i_mode``."""

    REGULAR, DIRECTORY, CHARACTER, BLOCK, FIFO, SOCKET, SYMLINK = range(1, 8)

    MODE_MASK = 0o170000
    MODE_FIFO = 0o010000
    MODE_CHARACTER = 0o020000
    MODE_DIRECTORY = 0o040000
    MODE_BLOCK = 0o060000
    MODE_REGULAR = 0o100000
    MODE_SYMLINK = 0o120000
    MODE_SOCKET = 0o140000


class Superblock(NamedTuple):
    """``struct ext4_super_block``."""

    inodes_count: U32 = 0
    blocks_count_lo: U32 = 0
    r_blocks_count_lo: U32 = 0
    free_blocks_count_lo: U32 = 0
    free_inodes_count: U32 = 0
    first_data_block: U32 = 0
    log_block_size: U32 = 0
    log_cluster_size: U32 = 0
    blocks_per_group: U32 = 0
    clusters_per_group: U32 = 0
    inodes_per_group: U32 = 0
    mtime: U32 = 0
    wtime: U32 = 0
    mnt_count: U16 = 0
    max_mnt_count: U16 = 0
    magic: U16 = SUPERBLOCK_MAGIC
    state: U16 = 0
    errors: U16 = 0
    minor_rev_level: U16 = 0
    lastcheck: U32 = 0
    checkinterval: U32 = 0
    creator_os: U32 = 0
    rev_level: U32 = 0
    def_resuid: U16 = 0
    def_resgid: U16 = 0
    first_ino: U32 = 0
    inode_size: U16 = 0
    block_group_nr: U16 = 0
    feature_compat: U32 = 0
    feature_incompat: U32 = 0
    feature_ro_compat: U32 = 0
    uuid: Raw16 = b""
    volume_name: Raw16 = b""
    last_mounted: Raw64 = b""
    algorithm_usage_bitmap: U32 = 0
    prealloc_blocks: U8 = 0
    prealloc_dir_blocks: U8 = 0
    reserved_gdt_blocks: U16 = 0
    journal_uuid: Raw16 = b""
    journal_inum: U32 = 0
    journal_dev: U32 = 0
    last_orphan: U32 = 0
    hash_seed: Raw16 = b""
    def_hash_version: U8 = 0
    jnl_backup_type: U8 = 0
    desc_size: U16 = 0
    default_mount_opts: U32 = 0
    first_meta_bg: U32 = 0
    mkfs_time: U32 = 0
    jnl_blocks: Raw68 = b""
    blocks_count_hi: U32 = 0
    r_blocks_count_hi: U32 = 0
    free_blocks_count_hi: U32 = 0
    min_extra_isize: U16 = 0
    want_extra_isize: U16 = 0
    flags: U32 = 0
    raid_stride: U16 = 0
    mmp_interval: U16 = 0
    mmp_block: U64 = 0
    raid_stripe_width: U32 = 0
    log_groups_per_flex: U8 = 0
    checksum_type: U8 = 0
    encryption_level: U8 = 0
    reserved_pad: U8 = 0
    kbytes_written: U64 = 0
    snapshot: Annotated[bytes, "20s"] = b""
    error_report: Annotated[bytes, "108s"] = b""
    mount_opts: Raw64 = b""
    usr_quota_inum: U32 = 0
    grp_quota_inum: U32 = 0
    overhead_clusters: U32 = 0
    backup_bgs: Raw8 = b""
    encrypt_algos: Raw4 = b""
    encrypt_pw_salt: Raw16 = b""
    lpf_ino: U32 = 0
    prj_quota_inum: U32 = 0
    checksum_seed: U32 = 0
    wtime_hi: U8 = 0
    mtime_hi: U8 = 0
    mkfs_time_hi: U8 = 0
    lastcheck_hi: U8 = 0
    error_times_hi: Raw4 = b""
    encoding: U16 = 0
    encoding_flags: U16 = 0
    orphan_file_inum: U32 = 0
    reserved: Annotated[bytes, "376s"] = b""
    checksum: U32 = 0


SUPERBLOCK = compile_record(Superblock, size=1024)


class GroupDescriptor(NamedTuple):
    """``struct ext4_group_desc``, the 32 bytes every file system has."""

    block_bitmap: U32 = 0
    inode_bitmap: U32 = 0
    inode_table: U32 = 0
    free_blocks_count: U16 = 0
    free_inodes_count: U16 = 0
    used_dirs_count: U16 = 0
    flags: U16 = 0
    exclude_bitmap: U32 = 0
    block_bitmap_csum: U16 = 0
    inode_bitmap_csum: U16 = 0
    itable_unused: U16 = 0
    checksum: U16 = 0


GROUP_DESCRIPTOR = compile_record(GroupDescriptor, size=32)


class GroupDescriptorHigh(NamedTuple):
    """The upper halves in ``struct ext4_group_desc``, present with the 64bit feature."""

    block_bitmap: U32 = 0
    inode_bitmap: U32 = 0
    inode_table: U32 = 0
    free_blocks_count: U16 = 0
    free_inodes_count: U16 = 0
    used_dirs_count: U16 = 0
    itable_unused: U16 = 0
    exclude_bitmap: U32 = 0
    block_bitmap_csum: U16 = 0
    inode_bitmap_csum: U16 = 0
    reserved: U32 = 0


GROUP_DESCRIPTOR_HIGH = compile_record(GroupDescriptorHigh, size=32)


class InodeRecord(NamedTuple):
    """``struct ext4_inode`` up to ``i_projid``; extended attributes may follow."""

    mode: U16
    uid_lo: U16
    size_lo: U32
    atime: U32
    ctime: U32
    mtime: U32
    dtime: U32
    gid_lo: U16
    links_count: U16
    blocks_lo: U32
    flags: U32
    version_lo: U32
    block: Raw60
    generation: U32
    file_acl_lo: U32
    size_hi: U32
    obso_faddr: U32
    blocks_hi: U16
    file_acl_hi: U16
    uid_hi: U16
    gid_hi: U16
    checksum_lo: U16
    reserved: U16
    extra_isize: U16
    checksum_hi: U16
    ctime_extra: U32
    mtime_extra: U32
    atime_extra: U32
    crtime: U32
    crtime_extra: U32
    version_hi: U32
    projid: U32


INODE = compile_record(InodeRecord, size=128 + EXTRA_INODE_BYTES)
INODE_CHECKSUM_LO_OFFSET: Final = 124
INODE_CHECKSUM_HI_OFFSET: Final = 130

EXTENT_MAGIC: Final = 0xF30A
EXTENT_HEADER = Struct("<HHHHI")  # struct ext4_extent_header: magic entries max depth generation
EXTENT = Struct("<IHHI")  # struct ext4_extent: logical, length, physical high and low
EXTENT_INDEX = Struct("<IIHH")  # struct ext4_extent_idx: logical, leaf low and high, unused
assert EXTENT_HEADER.size == EXTENT.size == EXTENT_INDEX.size == 12
EXTENT_BLOCKS_MAX: Final = 32_768  # a longer length means "allocated, not yet written"

DIRENT = Struct("<IHBB")  # struct ext4_dir_entry_2: inode, rec_len, name_len, file_type
DIRENT_TAIL = Struct("<IHBBI")  # struct ext4_dir_entry_tail: the checksum, dressed as an entry
DIRENT_TAIL_TYPE: Final = 0xDE
assert DIRENT.size == 8
assert DIRENT_TAIL.size == 12

DX_ROOT_INFO = Struct("<IBBBB")  # dx_root_info: 0, hash version, length, levels, flags
DX_COUNT_LIMIT = Struct("<HH")  # struct dx_countlimit, in place of the first entry's hash
DX_ENTRY = Struct("<II")  # struct dx_entry: hash, block
DX_TAIL = Struct("<II")  # struct dx_tail: reserved, checksum
assert DX_ROOT_INFO.size == DX_ENTRY.size == DX_TAIL.size == 8

XATTR_MAGIC: Final = 0xEA020000
XATTR_INODE_HEADER = Struct("<I")  # struct ext4_xattr_ibody_header
XATTR_BLOCK_HEADER = Struct("<IIIII12x")  # ext4_xattr_header: magic refcount blocks hash checksum
XATTR_ENTRY = Struct("<BBHIII")  # ext4_xattr_entry: name_len index value_offs inum size hash
assert XATTR_BLOCK_HEADER.size == 32
assert XATTR_ENTRY.size == 16
