"""The resize inode: descriptors' blocks set aside so that a mounted file system can grow.

Inode 7 owns them.  Its double-indirect block points to the reserved blocks behind the
descriptors of group 0; each of those serves as an indirect block and points to the blocks
that stand in the same place in the groups with backups.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from bootsmith.image.ext4.geometry import BLOCKS_PER_GROUP, Geometry
from bootsmith.image.ext4.structures import BLOCK_BYTES

_POINTERS = BLOCK_BYTES // 4
_DIRECT_BLOCKS = 12
_DOUBLE_INDIRECT = 13  # its place in i_block

SIZE_BYTES: Final = (_POINTERS * _POINTERS + _POINTERS + _DIRECT_BLOCKS) * BLOCK_BYTES
"""``i_size``: as if all blocks up to the last that a double-indirect block reaches were there."""


class ResizeInode(NamedTuple):
    """``block`` is its i_block; ``blocks`` are numbers and contents."""

    block: bytes
    block_count: int
    blocks: list[tuple[int, bytes]]


def resize_inode(geometry: Geometry, double_indirect: int) -> ResizeInode:
    """The resize inode, with its double-indirect block at ``double_indirect``."""
    first = 1 + geometry.descriptor_blocks
    reserved = range(first, first + geometry.reserved_gdt_blocks)
    backups = geometry.backup_groups
    pointers = [0] * _POINTERS
    blocks: list[tuple[int, bytes]] = []
    for number in reserved:
        pointers[(number - 1) % _POINTERS] = number
        copies = [number + group * BLOCKS_PER_GROUP for group in backups]
        if copies:
            blocks.append((number, struct.pack(f"<{len(copies)}I", *copies)))
    blocks.append((double_indirect, struct.pack(f"<{_POINTERS}I", *pointers)))
    return ResizeInode(
        block=bytes(4 * _DOUBLE_INDIRECT) + double_indirect.to_bytes(4, "little"),
        block_count=1 + len(reserved) * (1 + len(backups)),
        blocks=blocks,
    )
