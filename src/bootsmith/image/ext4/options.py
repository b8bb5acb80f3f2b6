"""What a caller decides about an ext4 image."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from bootsmith.errors import ImageError

_LABEL_MAX_BYTES = 16  # s_volume_name
_TIME_MAX_S = (1 << 40) - 1  # 32 bits and the eight of s_mkfs_time_hi


class Profile(Enum):
    """What the image is for."""

    READ_WRITE = "rw"
    """With a journal, and room for ``resize2fs`` to grow it, mounted or not."""

    READ_ONLY = "ro"
    """As small as it goes: no journal, no spare inodes, no reserve for growth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ext4Options:
    """How an image is to be made.  Raises ``ImageError`` for values ext4 cannot hold.

    ``uuid`` and ``hash_seed`` are 16 bytes each and should come from the plan's id.
    ``created_s`` stands in the superblock, in the journal and in a ``lost+found`` that the
    tree does not have.  With ``size_bytes`` the image has exactly that size; without, it has
    the smallest that leaves ``free_bytes`` in unused blocks (of which a kernel that mounts it
    keeps up to 2 % of the image, at most 16 MiB, to itself).  ``free_inodes`` is the least
    number of new files it must take; ``None`` means one per 16 KiB of free space for the
    profile ``rw``, none for ``ro``.
    """

    uuid: bytes
    hash_seed: bytes
    created_s: int
    label: str = "rootfs"
    profile: Profile = Profile.READ_WRITE
    size_bytes: int | None = None
    free_bytes: int = 0
    free_inodes: int | None = None

    def __post_init__(self) -> None:
        if len(self.uuid) != 16 or len(self.hash_seed) != 16:
            raise ImageError("the UUID and the hash seed of an ext4 image have 16 bytes each")
        if len(self.label.encode()) > _LABEL_MAX_BYTES or "\0" in self.label:
            raise ImageError(
                f"the label {self.label!r} has more than {_LABEL_MAX_BYTES} bytes or a NUL",
                hint=f"ext4 labels have at most {_LABEL_MAX_BYTES} bytes",
            )
        if not 0 <= self.created_s <= _TIME_MAX_S:
            raise ImageError(f"an ext4 superblock cannot hold the time {self.created_s}")
        if self.free_bytes < 0 or (self.free_inodes or 0) < 0 or (self.size_bytes or 0) < 0:
            raise ImageError("sizes and counts of an ext4 image cannot be negative")

    @property
    def writable(self) -> bool:
        return self.profile is Profile.READ_WRITE
