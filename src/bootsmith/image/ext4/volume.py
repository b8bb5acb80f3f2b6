"""An ext4 image opened for reading: superblock, groups, inodes and blocks, all checked.

Everything here may come from a stranger.  Numbers are compared with the size of the image
before they are used, and checksums are verified where the file system has them.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from bootsmith.errors import ArchiveError
from bootsmith.image.ext4.checksum import crc32c
from bootsmith.image.ext4.geometry import has_backup
from bootsmith.image.ext4.inode import decode_time
from bootsmith.image.ext4.structures import (
    GROUP_DESCRIPTOR,
    GROUP_DESCRIPTOR_HIGH,
    INODE,
    INODE_CHECKSUM_HI_OFFSET,
    INODE_CHECKSUM_LO_OFFSET,
    SUPERBLOCK,
    SUPERBLOCK_MAGIC,
    SUPERBLOCK_OFFSET,
    Compat,
    GroupDescriptor,
    GroupDescriptorHigh,
    Incompat,
    InodeRecord,
    ReadOnlyCompat,
    Superblock,
)
from bootsmith.model.streams import ByteSource

_READABLE: Final = (
    Incompat.FILETYPE
    | Incompat.META_BG
    | Incompat.EXTENTS
    | Incompat.BIT64
    | Incompat.MMP
    | Incompat.FLEX_BG
    | Incompat.EA_INODE
    | Incompat.CSUM_SEED
    | Incompat.LARGEDIR
    | Incompat.ENCRYPT
    | Incompat.CASEFOLD
)
_LOG_BLOCK_SIZE_MAX: Final = 6  # 64 KiB
_GOOD_OLD_INODE_BYTES: Final = 128
_CRC32C: Final = 1


class FoundInode(NamedTuple):
    """An inode as read.  ``seed`` is what the checksums of its blocks start from, if any."""

    number: int
    mode: int
    uid: int
    gid: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    links: int
    flags: int
    block: bytes
    xattr_block: int
    xattr_area: bytes
    seed: int | None


class Volume:
    """Raises ``ArchiveError`` for what is not a whole, clean ext2, ext3 or ext4 image."""

    def __init__(self, source: ByteSource) -> None:
        self.source = source
        self.superblock = superblock = _read_superblock(source)
        self.block_bytes: Final = 1024 << superblock.log_block_size
        self.is_64bit: Final = bool(superblock.feature_incompat & Incompat.BIT64)
        high = superblock.blocks_count_hi << 32 if self.is_64bit else 0
        self.block_count: Final = superblock.blocks_count_lo | high
        self.seed: Final = _seed(superblock)
        self.inode_bytes: Final = superblock.inode_size if superblock.rev_level else 128
        self._check_shape()
        span = self.block_count - superblock.first_data_block
        self.group_count: Final = -(-span // superblock.blocks_per_group)
        if self.group_count * superblock.inodes_per_group != superblock.inodes_count:
            raise ArchiveError("the superblock's counts of inodes and groups do not fit")
        self._descriptors: dict[int, tuple[GroupDescriptor, GroupDescriptorHigh]] = {}

    def read(self, offset: int, size: int) -> bytes:
        """Exactly ``size`` bytes of the image from ``offset``."""
        data = self.source.read_at(offset, size)
        if len(data) != size:
            raise ArchiveError("the image ends too early", offset=offset)
        return data

    def read_block(self, number: int) -> bytes:
        """Raises ``ArchiveError`` for a number outside the file system."""
        if not self.superblock.first_data_block <= number < self.block_count:
            raise ArchiveError(f"block {number} is outside the file system")
        return self.read(number * self.block_bytes, self.block_bytes)

    def read_inode(self, number: int) -> FoundInode:
        """Raises ``ArchiveError`` for a number outside the table or a wrong checksum."""
        if not 0 < number <= self.superblock.inodes_count:
            raise ArchiveError(f"there is no inode {number}")
        group, index = divmod(number - 1, self.superblock.inodes_per_group)
        descriptor, high = self.descriptor(group)
        table = descriptor.inode_table | high.inode_table << 32
        offset = table * self.block_bytes + index * self.inode_bytes
        if offset + self.inode_bytes > self.block_count * self.block_bytes:
            raise ArchiveError(f"inode {number} is outside the file system")
        record = self.read(offset, self.inode_bytes)
        return _decode_inode(number, record, self.seed)

    def descriptor(self, group: int) -> tuple[GroupDescriptor, GroupDescriptorHigh]:
        """The descriptor of ``group``, and its upper halves (zero without 64bit)."""
        found = self._descriptors.get(group)
        if found is None:
            found = self._descriptors[group] = self._read_descriptor(group)
        return found

    def has_superblock(self, group: int) -> bool:
        """Whether ``group`` begins with a superblock or its copy."""
        if group == 0:
            return True
        if self.superblock.feature_compat & Compat.SPARSE_SUPER2:
            return group in struct.unpack("<2I", self.superblock.backup_bgs)
        if self.superblock.feature_ro_compat & ReadOnlyCompat.SPARSE_SUPER:
            return has_backup(group)
        return True

    def _check_shape(self) -> None:
        superblock = self.superblock
        bits = 8 * self.block_bytes
        sane = (
            superblock.first_data_block == (1 if self.block_bytes == 1024 else 0)
            and superblock.first_data_block < self.block_count
            and 0 < superblock.inodes_per_group <= bits
            and 0 < superblock.clusters_per_group <= bits
            and superblock.blocks_per_group >= superblock.clusters_per_group
            and _GOOD_OLD_INODE_BYTES <= self.inode_bytes <= self.block_bytes
            and self.inode_bytes & (self.inode_bytes - 1) == 0
            and (not self.is_64bit or superblock.desc_size in {64, 128, 256, 512, 1024})
        )
        if not sane:
            raise ArchiveError("the superblock describes no possible ext4 file system")
        missing = self.block_count * self.block_bytes - self.source.size_bytes
        if missing > 0:
            raise ArchiveError(
                f"the image lacks the last {missing} bytes of its file system",
                offset=self.source.size_bytes,
            )

    def _read_descriptor(self, group: int) -> tuple[GroupDescriptor, GroupDescriptorHigh]:
        size = self.superblock.desc_size if self.is_64bit else GROUP_DESCRIPTOR.size
        block, index = divmod(group, self.block_bytes // size)
        offset = self._descriptor_block(block) * self.block_bytes + index * size
        data = self.read(offset, size)
        descriptor = GroupDescriptor._make(GROUP_DESCRIPTOR.unpack_from(data))
        high = GroupDescriptorHigh()
        if self.is_64bit:
            high = GroupDescriptorHigh._make(GROUP_DESCRIPTOR_HIGH.unpack_from(data, 32))
        if self.seed is not None:
            blank = data[:30] + bytes(2) + data[32:]
            found = crc32c(crc32c(self.seed, group.to_bytes(4, "little")), blank) & 0xFFFF
            if found != descriptor.checksum:
                raise ArchiveError(f"the checksum of group {group} is wrong", offset=offset)
        return descriptor, high

    def _descriptor_block(self, index: int) -> int:
        """The number of the block with the ``index``-th part of the descriptors."""
        superblock = self.superblock
        meta_bg = superblock.feature_incompat & Incompat.META_BG
        if not meta_bg or index < superblock.first_meta_bg:
            return superblock.first_data_block + 1 + index
        size = superblock.desc_size if self.is_64bit else GROUP_DESCRIPTOR.size
        group = index * (self.block_bytes // size)
        start = superblock.first_data_block + group * superblock.blocks_per_group
        return start + self.has_superblock(group)


def _read_superblock(source: ByteSource) -> Superblock:
    data = source.read_at(SUPERBLOCK_OFFSET, SUPERBLOCK.size)
    if len(data) != SUPERBLOCK.size:
        raise ArchiveError("too short for an ext4 image", offset=len(data))
    superblock = Superblock._make(SUPERBLOCK.unpack(data))
    if superblock.magic != SUPERBLOCK_MAGIC:
        raise ArchiveError("not an ext4 image: its magic number is missing", offset=0x438)
    if superblock.feature_ro_compat & ReadOnlyCompat.METADATA_CSUM:
        if superblock.checksum_type != _CRC32C:
            raise ArchiveError("the file system uses an unknown kind of checksum")
        if crc32c(0xFFFF_FFFF, data[:-4]) != superblock.checksum:
            raise ArchiveError("the checksum of the superblock is wrong", offset=SUPERBLOCK_OFFSET)
    incompatible = superblock.feature_incompat
    if incompatible & Incompat.RECOVER:
        raise ArchiveError(
            "the file system was not unmounted: its journal holds changes that are not applied",
            hint="run e2fsck -p on the image, or mount it once",
        )
    if unknown := incompatible & ~_READABLE:
        raise ArchiveError(f"the file system uses features not supported here: {unknown:#x}")
    if superblock.log_block_size > _LOG_BLOCK_SIZE_MAX:
        raise ArchiveError("the superblock says blocks are larger than 64 KiB")
    return superblock


def _seed(superblock: Superblock) -> int | None:
    """What checksums start from, or ``None`` when the file system has none."""
    if not superblock.feature_ro_compat & ReadOnlyCompat.METADATA_CSUM:
        return None
    if superblock.feature_incompat & Incompat.CSUM_SEED:
        return superblock.checksum_seed
    return crc32c(0xFFFF_FFFF, superblock.uuid)


def _decode_inode(number: int, record: bytes, seed: int | None) -> FoundInode:
    extra = int.from_bytes(record[128:130], "little")
    if extra % 4 or _GOOD_OLD_INODE_BYTES + extra > max(len(record), _GOOD_OLD_INODE_BYTES):
        raise ArchiveError(f"inode {number} says it has {extra} additional bytes")
    end = _GOOD_OLD_INODE_BYTES + extra
    inode = InodeRecord._make(INODE.unpack(record[: min(end, INODE.size)].ljust(INODE.size, b"\0")))
    if seed is not None:
        identity = number.to_bytes(4, "little") + inode.generation.to_bytes(4, "little")
        seed = crc32c(seed, identity)
        _check_inode(number, record, inode, seed)
    return FoundInode(
        number=number,
        mode=inode.mode,
        uid=inode.uid_lo | inode.uid_hi << 16,
        gid=inode.gid_lo | inode.gid_hi << 16,
        size_bytes=inode.size_lo | inode.size_hi << 32,
        mtime_ns=decode_time(inode.mtime, inode.mtime_extra),
        ctime_ns=decode_time(inode.ctime, inode.ctime_extra),
        links=inode.links_count,
        flags=inode.flags,
        block=inode.block,
        xattr_block=inode.file_acl_lo | inode.file_acl_hi << 32,
        xattr_area=record[end:] if len(record) > _GOOD_OLD_INODE_BYTES else b"",
        seed=seed,
    )


def _check_inode(number: int, record: bytes, inode: InodeRecord, seed: int) -> None:
    blank = bytearray(record)
    blank[INODE_CHECKSUM_LO_OFFSET : INODE_CHECKSUM_LO_OFFSET + 2] = bytes(2)
    checksum, mask = inode.checksum_lo, 0xFFFF
    if len(record) > _GOOD_OLD_INODE_BYTES and record[128] | record[129] << 8 >= 4:
        blank[INODE_CHECKSUM_HI_OFFSET : INODE_CHECKSUM_HI_OFFSET + 2] = bytes(2)
        checksum, mask = checksum | inode.checksum_hi << 16, 0xFFFF_FFFF
    if crc32c(seed, bytes(blank)) & mask != checksum:
        raise ArchiveError(f"the checksum of inode {number} is wrong")
