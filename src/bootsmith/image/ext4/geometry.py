"""Block groups: how many, and where their metadata lies.

Sixteen groups form a flexible group, whose bitmaps and inode tables stand together at its
front, so that content lies in stretches of almost two gigabytes.  Superblock and group
descriptors are repeated at the front of groups 1 and the powers of 3, 5 and 7.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from bootsmith.image.ext4.structures import BLOCK_BYTES, GROUP_DESCRIPTOR, INODE_BYTES

BLOCKS_PER_GROUP: Final = 8 * BLOCK_BYTES  # as many as one block of bitmap can describe
INODES_PER_GROUP_MAX: Final = 8 * BLOCK_BYTES
INODES_PER_BLOCK: Final = BLOCK_BYTES // INODE_BYTES
DESCRIPTORS_PER_BLOCK: Final = BLOCK_BYTES // GROUP_DESCRIPTOR.size
LOG_GROUPS_PER_FLEX: Final = 4
GROUPS_PER_FLEX: Final = 1 << LOG_GROUPS_PER_FLEX
BLOCK_COUNT_MAX: Final = (1 << 32) - 1  # more needs the 64bit feature: images over 16 TiB

_BACKUP_BASES = (3, 5, 7)  # sparse_super: their powers have a copy of the superblock
_GROWTH_FACTOR = 1024  # descriptors are reserved for this many times the groups, as mke2fs does
_RESERVED_GDT_MAX = BLOCK_BYTES // 4  # what one double-indirect block can point to
_LAST_GROUP_SPARE = 50  # blocks beyond its metadata that make a last group worth having


class Interval(NamedTuple):
    """The blocks from ``start`` up to, not including, ``end``."""

    start: int
    end: int


class GroupPlaces(NamedTuple):
    """Where the metadata of one group begins."""

    block_bitmap: int
    inode_bitmap: int
    inode_table: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """``groups`` in order; ``free`` is what their metadata leaves, ascending."""

    block_count: int
    inodes_per_group: int
    descriptor_blocks: int
    reserved_gdt_blocks: int
    groups: tuple[GroupPlaces, ...]
    free: tuple[Interval, ...]

    @property
    def inode_count(self) -> int:
        return self.inodes_per_group * len(self.groups)

    @property
    def free_blocks(self) -> int:
        return sum(end - start for start, end in self.free)

    @property
    def backup_groups(self) -> list[int]:
        """The groups after the first that repeat superblock and descriptors."""
        return [group for group in range(1, len(self.groups)) if has_backup(group)]


def has_backup(group: int) -> bool:
    """Whether ``group`` begins with a superblock (sparse_super)."""
    if group <= 1:
        return True
    return any(_is_power(group, base) for base in _BACKUP_BASES)


def smallest_block_count(*, payload_blocks: int, inode_count: int, growable: bool) -> int:
    """The fewest blocks that hold ``payload_blocks`` beside the metadata of their groups."""
    groups = max(
        1, _ceil(payload_blocks, BLOCKS_PER_GROUP), _ceil(inode_count, INODES_PER_GROUP_MAX)
    )
    while True:
        shape = _Shape.of(groups, inode_count, growable=growable)
        least = max(payload_blocks + shape.metadata_blocks, shape.smallest_block_count)
        if least <= groups * BLOCKS_PER_GROUP:
            return least
        groups += 1


def geometry(block_count: int, *, inode_count: int, growable: bool) -> Geometry | None:
    """The groups of a file system of up to ``block_count`` blocks, for ``inode_count`` inodes.

    A last group too small to be of use is left away.  ``None`` when it is too small for the
    metadata itself.
    """
    groups = _ceil(block_count, BLOCKS_PER_GROUP)
    if groups == 0 or inode_count > groups * INODES_PER_GROUP_MAX:
        return None
    shape = _Shape.of(groups, inode_count, growable=growable)
    if block_count < shape.smallest_block_count:
        return geometry((groups - 1) * BLOCKS_PER_GROUP, inode_count=inode_count, growable=growable)
    taken, places = shape.place_metadata()
    return Geometry(
        block_count=block_count,
        inodes_per_group=shape.table_blocks * INODES_PER_BLOCK,
        descriptor_blocks=shape.descriptor_blocks,
        reserved_gdt_blocks=shape.reserved_gdt_blocks,
        groups=tuple(places),
        free=tuple(_gaps(sorted(taken), block_count)),
    )


class _Shape(NamedTuple):
    """The sizes that follow from the number of groups alone."""

    groups: int
    table_blocks: int
    descriptor_blocks: int
    reserved_gdt_blocks: int

    @classmethod
    def of(cls, groups: int, inode_count: int, *, growable: bool) -> _Shape:
        descriptor_blocks = _ceil(groups, DESCRIPTORS_PER_BLOCK)
        reserved = 0
        if growable:
            most = min(groups * _GROWTH_FACTOR, _ceil(BLOCK_COUNT_MAX, BLOCKS_PER_GROUP))
            reserved = min(
                _ceil(most, DESCRIPTORS_PER_BLOCK) - descriptor_blocks, _RESERVED_GDT_MAX
            )
        return cls(
            groups=groups,
            table_blocks=_ceil(_ceil(inode_count, groups), INODES_PER_BLOCK),
            descriptor_blocks=descriptor_blocks,
            reserved_gdt_blocks=reserved,
        )

    @property
    def backup_blocks(self) -> int:
        """A superblock, the descriptors, and the reserve for more of them."""
        return 1 + self.descriptor_blocks + self.reserved_gdt_blocks

    @property
    def metadata_blocks(self) -> int:
        return _backup_count(self.groups) * self.backup_blocks + self.groups * (
            2 + self.table_blocks
        )

    @property
    def smallest_block_count(self) -> int:
        """With fewer blocks, the last group would not be worth its metadata (as in mke2fs)."""
        if self.groups == 1:
            return self.metadata_blocks
        last = self.groups - 1
        overhead = 2 + self.table_blocks + (self.backup_blocks if has_backup(last) else 0)
        return min(last * BLOCKS_PER_GROUP + overhead + _LAST_GROUP_SPARE, self.full_block_count)

    @property
    def full_block_count(self) -> int:
        return self.groups * BLOCKS_PER_GROUP

    def place_metadata(self) -> tuple[list[Interval], list[GroupPlaces]]:
        """The blocks taken by metadata, and the places of each group's part of it."""
        backups = [
            Interval(group * BLOCKS_PER_GROUP, group * BLOCKS_PER_GROUP + self.backup_blocks)
            for group in range(self.groups)
            if has_backup(group)
        ]
        taken = list(backups)
        places: list[GroupPlaces] = []
        for first in range(0, self.groups, GROUPS_PER_FLEX):
            members = min(GROUPS_PER_FLEX, self.groups - first)
            cursor = _Cursor(first * BLOCKS_PER_GROUP, backups)
            block_bitmaps = [cursor.take(1) for _ in range(members)]
            inode_bitmaps = [cursor.take(1) for _ in range(members)]
            tables = [cursor.take(self.table_blocks) for _ in range(members)]
            places.extend(map(GroupPlaces, block_bitmaps, inode_bitmaps, tables))
            taken.extend(cursor.taken)
        return taken, places


class _Cursor:
    """Takes blocks in ascending order, around the superblock backups."""

    def __init__(self, start: int, backups: list[Interval]) -> None:
        self._position = start
        self._obstacles = [backup for backup in backups if backup.end > start]
        self.taken: list[Interval] = []

    def take(self, count: int) -> int:
        for start, end in self._obstacles:
            if self._position < end and self._position + count > start:
                self._position = end
        start = self._position
        self._position += count
        self.taken.append(Interval(start, self._position))
        return start


def _gaps(taken: list[Interval], block_count: int) -> Iterator[Interval]:
    position = 0
    for start, end in [*taken, Interval(block_count, block_count)]:
        if start > position:
            yield Interval(position, start)
        position = end


def _backup_count(groups: int) -> int:
    """How many of the first ``groups`` begin with a superblock."""
    count = min(groups, 2)
    for base in _BACKUP_BASES:
        power = base
        while power < groups:
            count += 1
            power *= base
    return count


def _is_power(number: int, base: int) -> bool:
    while number > 1:
        number, remainder = divmod(number, base)
        if remainder:
            return False
    return True


def _ceil(amount: int, unit: int) -> int:
    return -(-amount // unit)
