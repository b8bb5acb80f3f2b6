"""ext4 images back to trees.

Reads what ``write_ext4`` makes and what mke2fs and the kernel make: any block size, block
maps of ext2, 64bit, with and without checksums.  A malformed image raises ``ArchiveError``,
whatever is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from bootsmith.errors import ArchiveError
from bootsmith.image.ext4.block_map import BlockClaims
from bootsmith.image.ext4.content_reader import (
    file_ranges,
    read_content,
    read_target,
    read_xattrs,
)
from bootsmith.image.ext4.directory_reader import read_directory
from bootsmith.image.ext4.group_check import check_groups
from bootsmith.image.ext4.inode import decode_device
from bootsmith.image.ext4.structures import (
    ROOT_INODE,
    Compat,
    FileType,
    Incompat,
    ReadOnlyCompat,
)
from bootsmith.image.ext4.volume import FoundInode, Volume
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import ROOT, GuestPath, display, join
from bootsmith.model.streams import ByteSource
from bootsmith.tree.entry import (
    Device,
    Directory,
    Entry,
    Fifo,
    HardLink,
    Metadata,
    RegularFile,
    Symlink,
)
from bootsmith.tree.file_tree import FileTree

_PATH_MAX_BYTES: Final = 4096  # PATH_MAX: bounds the memory a chain of nested directories takes
_DUMPE2FS_NAMES: Final = {"EXTENTS": "extent", "BIT64": "64bit", "GDT_CSUM": "uninit_bg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ext4Facts:
    """What a superblock says.  ``features`` are sorted, as dumpe2fs spells them."""

    uuid: bytes
    label: str
    created_s: int
    block_bytes: int
    block_count: int
    free_blocks: int
    inode_count: int
    free_inodes: int
    features: tuple[str, ...]

    @property
    def size_bytes(self) -> int:
        return self.block_count * self.block_bytes


class FoundEntry(NamedTuple):
    """An entry of an image, and what else its inode says."""

    path: GuestPath
    inode: FoundInode
    entry: Entry


class Ext4Reader:
    """An image, opened.  Raises ``ArchiveError`` when it is no whole, clean file system."""

    def __init__(self, source: ByteSource) -> None:
        self._volume = Volume(source)

    @property
    def facts(self) -> Ext4Facts:
        volume = self._volume
        superblock = volume.superblock
        free_hi = superblock.free_blocks_count_hi << 32 if volume.is_64bit else 0
        return Ext4Facts(
            uuid=superblock.uuid,
            label=superblock.volume_name.rstrip(b"\0").decode("utf-8", "replace"),
            created_s=superblock.mkfs_time | superblock.mkfs_time_hi << 32,
            block_bytes=volume.block_bytes,
            block_count=volume.block_count,
            free_blocks=superblock.free_blocks_count_lo | free_hi,
            inode_count=superblock.inodes_count,
            free_inodes=superblock.free_inodes_count,
            features=_feature_names(volume),
        )

    def read_tree(self, image: Digest) -> FileTree:
        """Everything in the image, ``lost+found`` included; sockets are left out.

        Contents are slices of the blob ``image``, which is to be the image itself.  Of several
        names of a file the first in order of path is the file, the others are hard links.
        """
        return FileTree({path: entry for path, _, entry in self.walk(image)})

    def walk(self, image: Digest) -> Iterator[FoundEntry]:
        """What ``read_tree`` is made of, in no order, each with its inode."""
        claims = BlockClaims()
        files: dict[int, tuple[FoundInode, list[GuestPath]]] = {}
        directories = {ROOT_INODE}
        pending = [(ROOT, self._root())]
        while pending:
            path, directory = pending.pop()
            yield FoundEntry(path, directory, Directory(self._metadata(directory)))
            for listed in read_directory(self._volume, directory, claims):
                child = join(path, listed.name)
                if len(child) > _PATH_MAX_BYTES:
                    raise ArchiveError(f"a path in the image has over {_PATH_MAX_BYTES} bytes")
                if listed.inode in files:
                    files[listed.inode][1].append(child)
                    continue
                inode = self._volume.read_inode(listed.inode)
                if not is_directory(inode):
                    files[listed.inode] = (inode, [child])
                elif listed.inode in directories:
                    raise ArchiveError("a directory has two names", member=display(child))
                else:
                    directories.add(listed.inode)
                    pending.append((child, inode))
        for inode, paths in files.values():
            first, *others = sorted(paths)
            entry = self._entry(inode, first, image, claims)
            if entry is not None:
                yield FoundEntry(first, inode, entry)
                for other in others:
                    yield FoundEntry(other, inode, HardLink(first))

    def read_file(self, path: GuestPath, *, most_bytes: int = 64 << 20) -> bytes:
        """The content of the regular file at ``path``; symbolic links are not followed.

        Raises ``ArchiveError`` when there is none, or one of more than ``most_bytes``.
        """
        inode = self._find(path)
        if inode.mode & FileType.MODE_MASK != FileType.MODE_REGULAR:
            raise ArchiveError(f"{display(path)} is no regular file", member=display(path))
        if inode.size_bytes > most_bytes:
            raise ArchiveError(
                f"{display(path)} has {inode.size_bytes} bytes, more than {most_bytes}",
                member=display(path),
            )
        content = bytearray(inode.size_bytes)
        for start, offset, size in file_ranges(self._volume, inode, BlockClaims()):
            content[start : start + size] = self._volume.read(offset, size)
        return bytes(content)

    def check_groups(self) -> None:
        """Verify bitmaps and the counts of what is free; ``read_tree`` verifies the rest.

        Raises ``ArchiveError`` for the first that is wrong.
        """
        check_groups(self._volume)

    def _find(self, path: GuestPath) -> FoundInode:
        inode = self._root()
        for segment in path.split(b"/") if path else ():
            number = 0
            if is_directory(inode):
                listing = read_directory(self._volume, inode, BlockClaims())
                number = next((found.inode for found in listing if found.name == segment), 0)
            if not number:
                raise ArchiveError(f"{display(path)} is not there", member=display(path))
            inode = self._volume.read_inode(number)
        return inode

    def _root(self) -> FoundInode:
        root = self._volume.read_inode(ROOT_INODE)
        if not is_directory(root):
            raise ArchiveError("the root of the file system is no directory")
        return root

    def _entry(
        self, inode: FoundInode, path: GuestPath, image: Digest, claims: BlockClaims
    ) -> Entry | None:
        kind = inode.mode & FileType.MODE_MASK
        if kind == FileType.MODE_SOCKET:
            return None
        metadata = self._metadata(inode)
        if kind == FileType.MODE_REGULAR:
            return RegularFile(metadata, read_content(self._volume, inode, image, claims))
        if kind == FileType.MODE_SYMLINK:
            return Symlink(metadata, read_target(self._volume, inode, claims))
        if kind in {FileType.MODE_BLOCK, FileType.MODE_CHARACTER}:
            return Device(metadata, kind == FileType.MODE_BLOCK, *decode_device(inode.block))
        if kind == FileType.MODE_FIFO:
            return Fifo(metadata)
        raise ArchiveError(
            f"{display(path)} leads to inode {inode.number}, which is not in use",
            member=display(path),
        )

    def _metadata(self, inode: FoundInode) -> Metadata:
        return Metadata(
            inode.mode & 0o7777,
            inode.uid,
            inode.gid,
            inode.mtime_ns,
            read_xattrs(self._volume, inode),
        )


def is_directory(inode: FoundInode) -> bool:
    return inode.mode & FileType.MODE_MASK == FileType.MODE_DIRECTORY


def _feature_names(volume: Volume) -> tuple[str, ...]:
    superblock = volume.superblock
    flags = (
        *Compat(superblock.feature_compat),
        *Incompat(superblock.feature_incompat),
        *ReadOnlyCompat(superblock.feature_ro_compat),
    )
    return tuple(
        sorted(_DUMPE2FS_NAMES.get(flag.name or "", str(flag.name).lower()) for flag in flags)
    )
