"""The cpio archive of an initramfs: the "new ASCII" format without checksums.

Specified by the kernel's Documentation/driver-api/early-userspace/buffer-format.rst and read
by its ``init/initramfs.c``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bootsmith.errors import ArchiveError, ImageError
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import GuestPath, display, guest_path
from bootsmith.model.streams import BlobSource, ByteSink, ByteSource
from bootsmith.tree.contents import write_content
from bootsmith.tree.entry import (
    EMPTY,
    BlobSlice,
    Content,
    Device,
    Directory,
    Entry,
    Fifo,
    HardLink,
    InlineBytes,
    Inode,
    Member,
    Metadata,
    RegularFile,
    Symlink,
)
from bootsmith.tree.file_tree import FileTree

MAGIC = b"070701"
TRAILER = b"TRAILER!!!"

# The magic, then thirteen fields of eight hexadecimal digits each: ino mode uid gid nlink
# mtime filesize dev_major dev_minor rdev_major rdev_minor namesize check
_FIELDS = 13
HEADER_BYTES = len(MAGIC) + 8 * _FIELDS
assert HEADER_BYTES == 110

_FIELD_MAX = 0xFFFF_FFFF
_PATH_MAX = 4095  # the kernel skips what is longer
_S_IFMT, _S_IFIFO, _S_IFCHR, _S_IFDIR = 0o170000, 0o010000, 0o020000, 0o040000
_S_IFBLK, _S_IFREG, _S_IFLNK = 0o060000, 0o100000, 0o120000


def write_cpio(tree: FileTree, *, blobs: BlobSource, sink: ByteSink) -> None:
    """Write ``tree`` without its root, in sorted order, inode numbers counted from 1.

    Of a hard-linked file the last name carries the content, as other writers have it; of a
    symbolic link every name, because the kernel makes those anew.  Times
    are whole seconds between 1970 and 2106; earlier and later ones become the nearest.
    Raises ``ImageError`` for what the format cannot hold: a file of 4 GiB or more, extended
    attributes, a path over 4095 bytes.
    """
    names = _names_by_inode(tree)
    numbers: dict[GuestPath, int] = {}
    for path, entry in tree.items():
        if not path:
            continue
        carrier = entry.target if isinstance(entry, HardLink) else path
        number = numbers.setdefault(carrier, len(numbers) + 1)
        links = names.get(carrier, [path])
        inode = tree.inode(path)
        carries = path == links[-1] or isinstance(inode, Symlink)
        data = _data(inode) if carries else EMPTY
        sink.write(
            _header(path, inode, number=number, links=len(links), size_bytes=data.size_bytes)
        )
        write_content(data, blobs=blobs, sink=sink)
        sink.write(bytes(-data.size_bytes % 4))
    sink.write(_pack((0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0), TRAILER))


def read_cpio(source: ByteSource, *, blob: Digest) -> Iterator[Member]:
    """The members of an uncompressed archive, contents as slices of ``blob``.

    Hard-linked files come at the end: the name that carries the content, then the others.
    Raises ``ArchiveError`` when the archive is malformed or cut off.
    """
    linked: dict[int, list[_Header]] = {}
    offset = 0
    while (header := _read_header(source, offset)).name != TRAILER:
        offset = _aligned(header.data_offset + header.size_bytes)
        if header.mode & _S_IFMT != _S_IFDIR and header.links > 1:
            linked.setdefault(header.number, []).append(header)
        else:
            yield Member(guest_path(header.name), _entry(source, blob, header))
    for names in linked.values():
        carrier = max(names, key=lambda header: header.size_bytes)
        path = guest_path(carrier.name)
        yield Member(path, _entry(source, blob, carrier))
        yield from (
            Member(guest_path(header.name), HardLink(path))
            for header in names
            if header is not carrier
        )


class _Header(NamedTuple):
    number: int
    mode: int
    links: int
    uid: int
    gid: int
    mtime: int
    size_bytes: int
    rdev_major: int
    rdev_minor: int
    name: bytes
    data_offset: int


def _names_by_inode(tree: FileTree) -> dict[GuestPath, list[GuestPath]]:
    """All names of every file that has several, sorted, by the name that carries the entry."""
    names: dict[GuestPath, list[GuestPath]] = {}
    for path, entry in tree.items():
        if isinstance(entry, HardLink):
            names.setdefault(entry.target, [entry.target]).append(path)
    return {target: sorted(paths) for target, paths in names.items()}


def _header(path: GuestPath, inode: Inode, *, number: int, links: int, size_bytes: int) -> bytes:
    metadata = inode.metadata
    if metadata.xattrs:
        raise ImageError(
            f"{display(path)} has extended attributes, which a cpio archive cannot hold",
            hint="keep it out of the initramfs, or take its attributes away",
        )
    if len(path) > _PATH_MAX:
        raise ImageError(f"a path of {len(path)} bytes is too long for an initramfs")
    if size_bytes > _FIELD_MAX:
        raise ImageError(
            f"{display(path)} has {size_bytes} bytes; a cpio archive holds files under 4 GiB"
        )
    major, minor = (inode.major, inode.minor) if isinstance(inode, Device) else (0, 0)
    mtime = min(max(metadata.mtime_ns // 1_000_000_000, 0), _FIELD_MAX)
    mode = _file_type(inode) | metadata.mode
    owner = metadata.uid, metadata.gid
    return _pack((number, mode, *owner, links, mtime, size_bytes, 0, 0, major, minor), path)


def _pack(numbers: tuple[int, ...], name: bytes) -> bytes:
    """The header of eleven ``numbers``, ``ino`` to ``rdev_minor``, and its name."""
    fields = (*numbers, len(name) + 1, 0)
    assert len(fields) == _FIELDS
    header = MAGIC + b"".join(b"%08X" % field for field in fields) + name + b"\0"
    return header.ljust(_aligned(len(header)), b"\0")


def _file_type(inode: Inode) -> int:
    match inode:
        case Directory():
            return _S_IFDIR
        case RegularFile():
            return _S_IFREG
        case Symlink():
            return _S_IFLNK
        case Device():
            return _S_IFBLK if inode.is_block else _S_IFCHR
        case Fifo():
            return _S_IFIFO


def _data(inode: Inode) -> Content:
    if isinstance(inode, RegularFile):
        return inode.content
    if isinstance(inode, Symlink):
        return InlineBytes(inode.target)
    return EMPTY


def _read_header(source: ByteSource, offset: int) -> _Header:
    raw = source.read_at(offset, HEADER_BYTES)
    if len(raw) < HEADER_BYTES or not raw.startswith(MAGIC):
        raise ArchiveError(f"no cpio header at byte {offset}", offset=offset)
    digits = raw[len(MAGIC) :]
    try:
        fields = [int(digits[start : start + 8], 16) for start in range(0, len(digits), 8)]
    except ValueError as error:
        raise ArchiveError(f"a bad cpio header at byte {offset}", offset=offset) from error
    number, mode, uid, gid, links, mtime, size, _, _, major, minor, name_size, _ = fields
    name = source.read_at(offset + HEADER_BYTES, min(name_size, _PATH_MAX + 1))
    if not name.endswith(b"\0"):
        raise ArchiveError(f"a bad cpio name at byte {offset}", offset=offset)
    data_offset = _aligned(offset + HEADER_BYTES + name_size)
    if data_offset + size > source.size_bytes:
        raise ArchiveError("the cpio archive is cut off", offset=source.size_bytes)
    return _Header(
        *(number, mode, links, uid, gid, mtime, size, major, minor, name[:-1], data_offset)
    )


def _entry(source: ByteSource, blob: Digest, header: _Header) -> Entry:
    metadata = Metadata(header.mode & 0o7777, header.uid, header.gid, header.mtime * 1_000_000_000)
    kind = header.mode & _S_IFMT
    if kind == _S_IFREG:
        size = header.size_bytes
        content = BlobSlice(blob, header.data_offset, size) if size else EMPTY
        return RegularFile(metadata, content)
    if kind == _S_IFLNK:
        return Symlink(metadata, source.read_at(header.data_offset, header.size_bytes))
    if kind in (_S_IFCHR, _S_IFBLK):
        return Device(metadata, kind == _S_IFBLK, header.rdev_major, header.rdev_minor)
    if kind == _S_IFDIR:
        return Directory(metadata)
    if kind == _S_IFIFO:
        return Fifo(metadata)
    raise ArchiveError(
        f"a cpio member of unknown type {kind:o}",
        member=display(header.name),
        offset=header.data_offset,
    )


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // 4) * 4
