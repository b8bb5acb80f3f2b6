"""The journal: an empty one is a superblock in front of zeros (``include/linux/jbd2.h``).

The kernel adds checksums to it when it first mounts a file system with metadata_csum, so none
are declared here.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

from bootsmith.image.ext4.record import U8, U32, Raw16, compile_record
from bootsmith.image.ext4.structures import BLOCK_BYTES

JOURNAL_BLOCKS_MIN: Final = 1024  # JBD2_MIN_JOURNAL_BLOCKS

_MAGIC = 0xC03B3998
_SUPERBLOCK_V2 = 4
_SIZES = (  # blocks of journal for file systems of at least so many blocks
    (1 << 22, 32_768),
    (1 << 19, 16_384),
    (1 << 18, 8_192),
    (1 << 15, 4_096),
    (0, JOURNAL_BLOCKS_MIN),
)


class JournalSuperblock(NamedTuple):
    """``struct journal_superblock_s``, big-endian."""

    magic: U32 = _MAGIC
    blocktype: U32 = _SUPERBLOCK_V2
    header_sequence: U32 = 0
    blocksize: U32 = BLOCK_BYTES
    maxlen: U32 = 0
    first: U32 = 1
    sequence: U32 = 1
    start: U32 = 0
    errno: U32 = 0
    feature_compat: U32 = 0
    feature_incompat: U32 = 0
    feature_ro_compat: U32 = 0
    uuid: Raw16 = b""
    nr_users: U32 = 1
    dynsuper: U32 = 0
    max_transaction: U32 = 0
    max_trans_data: U32 = 0
    checksum_type: U8 = 0
    padding2: Annotated[bytes, "3s"] = b""
    num_fc_blks: U32 = 0
    head: U32 = 0
    padding: Annotated[bytes, "160s"] = b""
    checksum: U32 = 0
    users: Annotated[bytes, "768s"] = b""


JOURNAL_SUPERBLOCK = compile_record(JournalSuperblock, size=1024, byte_order=">")


def journal_blocks(block_count: int) -> int:
    """The size of journal that suits a file system of ``block_count`` blocks."""
    return next(size for least, size in _SIZES if block_count >= least)


def empty_journal(blocks: int, uuid: bytes) -> bytes:
    """The beginning of an empty journal; the rest of its ``blocks`` is zeros."""
    return JOURNAL_SUPERBLOCK.pack(*JournalSuperblock(maxlen=blocks, uuid=uuid))
