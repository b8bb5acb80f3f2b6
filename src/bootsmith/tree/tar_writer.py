"""Writing tar archives: pax, and the same bytes for the same members.

A member gets an extended header only for what the old header cannot say, so that archives of
ordinary files stay plain ustar.  Holes are kept, in GNU's sparse format 1.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from bootsmith.model.digest import Descriptor, Digest
from bootsmith.model.streams import CHUNK_BYTES, BlobSource, BlobStore, chunks
from bootsmith.tree import tar_format as tar
from bootsmith.tree import tar_pax as pax
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
    Member,
    Metadata,
    RegularFile,
    Run,
    SparseContent,
    Symlink,
    runs,
)
from bootsmith.tree.tar_sparse import format_leading_map

_LINK_METADATA = Metadata(0)
_LINK_BYTES = 100
_BILLION = 1_000_000_000

_Piece: TypeAlias = bytes | BlobSlice


def tar_chunks(members: Iterable[Member], *, blobs: BlobSource) -> Iterator[bytes]:
    """The archive of ``members``, in their order, its end included, in chunks of about 1 MiB."""
    held = bytearray()
    for piece in _pieces(members):
        if isinstance(piece, bytes):
            held += piece
        else:
            for chunk in chunks(blobs.open_blob(piece.blob), piece.offset, piece.size_bytes):
                held += chunk
                if len(held) >= CHUNK_BYTES:
                    yield bytes(held)
                    held.clear()
    yield bytes(held)


def store_tar(
    members: Iterable[Member], *, store: BlobStore
) -> tuple[Descriptor, tuple[Member, ...]]:
    """Keep the archive of ``members`` as a blob of its own.

    Returns the blob, and the members again with their content in it: nothing they refer to
    but that blob needs to be kept any longer.
    """
    members = tuple(members)
    descriptor = store.add_blob(tar_chunks(members, blobs=store))
    return descriptor, tuple(_relocated(members, descriptor.digest))


class _Head(NamedTuple):
    """Everything before a member's data, and the stretches of that data."""

    block: bytes
    runs: tuple[Run, ...]
    stored_bytes: int


def _pieces(members: Iterable[Member]) -> Iterator[_Piece]:
    for path, entry in members:
        head = _head(path, entry)
        yield head.block
        for run in head.runs:
            yield run.data.data if isinstance(run.data, InlineBytes) else run.data
        padding = -head.stored_bytes % tar.BLOCK_BYTES
        if padding:
            yield bytes(padding)
    yield bytes(2 * tar.BLOCK_BYTES)


def _relocated(members: Iterable[Member], blob: Digest) -> Iterator[Member]:
    offset = 0
    for member in members:
        head = _head(*member)
        offset += len(head.block)
        entry = member.entry
        if isinstance(entry, RegularFile):
            content = _moved(entry.content, head.runs, blob, offset)
            yield Member(member.path, RegularFile(entry.metadata, content))
        else:
            yield member
        offset += tar.padded(head.stored_bytes)


def _moved(content: Content, data: tuple[Run, ...], blob: Digest, offset: int) -> Content:
    if not isinstance(content, SparseContent):
        return BlobSlice(blob, offset, content.size_bytes) if content.size_bytes else EMPTY
    moved = []
    for run in data:
        size = run.data.size_bytes
        moved.append(Run(run.offset, BlobSlice(blob, offset, size)))
        offset += size
    return SparseContent(content.size_bytes, tuple(moved))


def _head(path: bytes, entry: Entry) -> _Head:
    metadata = _LINK_METADATA if isinstance(entry, HardLink) else entry.metadata
    kind, link, major, minor = _type_fields(entry)
    name = path + b"/" if path and isinstance(entry, Directory) else path or b"./"
    records: dict[bytes, bytes] = {pax.SCHILY_XATTR + key: value for key, value in metadata.xattrs}
    sparse_map, size = b"", 0
    stretches: tuple[Run, ...] = ()
    if isinstance(entry, RegularFile):
        stretches = tuple(runs(entry.content))
        size = sum(run.data.size_bytes for run in stretches)
        if isinstance(entry.content, SparseContent):
            sparse_map = _sparse_map(entry.content)
            records[b"GNU.sparse.major"], records[b"GNU.sparse.minor"] = b"1", b"0"
            records[b"GNU.sparse.name"] = name
            records[b"GNU.sparse.realsize"] = b"%d" % entry.content.size_bytes
    seconds, fraction_ns = divmod(metadata.mtime_ns, _BILLION)
    if fraction_ns:
        records[b"mtime"] = pax.format_time(metadata.mtime_ns)
    prefix, short_name = _split(name, records)
    if len(link) > _LINK_BYTES:
        records[b"linkpath"] = link
    block = tar.HEADER.pack(
        short_name,
        _octal(metadata.mode, 8),
        _octal(metadata.uid, 8, b"uid", records),
        _octal(metadata.gid, 8, b"gid", records),
        _octal(len(sparse_map) + size, 12, b"size", records),
        _octal(seconds, 12, b"mtime", records),
        b"",
        kind,
        link[:_LINK_BYTES],
        tar.USTAR_MAGIC,
        b"00",
        b"",
        b"",
        _octal(major, 8),
        _octal(minor, 8),
        prefix,
    )
    return _Head(_extended(records) + tar.with_checksum(block) + sparse_map, stretches, size)


def _sparse_map(content: SparseContent) -> bytes:
    stretches = [(run.offset, run.data.size_bytes) for run in content.runs]
    if not stretches or sum(stretches[-1]) < content.size_bytes:
        stretches.append((content.size_bytes, 0))  # GNU tar makes a hole at the end of this only
    return format_leading_map(stretches)


def _type_fields(entry: Entry) -> tuple[bytes, bytes, int, int]:
    """Type flag, link name, and device numbers."""
    match entry:
        case Directory():
            return tar.DIRECTORY, b"", 0, 0
        case RegularFile():
            return tar.REGULAR, b"", 0, 0
        case Symlink():
            return tar.SYMLINK, entry.target, 0, 0
        case HardLink():
            return tar.HARD_LINK, entry.target, 0, 0
        case Device():
            kind = tar.BLOCK_DEVICE if entry.is_block else tar.CHARACTER_DEVICE
            return kind, b"", entry.major, entry.minor
        case Fifo():
            return tar.FIFO, b"", 0, 0


def _split(name: bytes, records: dict[bytes, bytes]) -> tuple[bytes, bytes]:
    """``name`` in the header's two fields; in a record when it does not fit them."""
    if len(name) <= tar.NAME_BYTES:
        return b"", name
    slash = name.find(b"/", len(name) - tar.NAME_BYTES - 1)
    if 0 < slash <= tar.PREFIX_BYTES and slash < len(name) - 1:
        return name[:slash], name[slash + 1 :]
    records[b"path"] = name
    return b"", name[: tar.NAME_BYTES]


def _octal(
    value: int, width: int, keyword: bytes = b"", records: dict[bytes, bytes] | None = None
) -> bytes:
    """``value`` as a header field; in a record when it does not fit and none is there yet."""
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o" % (width - 1, value)
    assert records is not None, f"{keyword!r} {value} has no place in a tar header"
    records.setdefault(keyword, b"%d" % value)
    return b"0" * (width - 1)


def _extended(records: dict[bytes, bytes]) -> bytes:
    """The extended header of ``records``, none for no records."""
    if not records:
        return b""
    names = (records.get(key, b"") for key in (b"path", b"linkpath", b"GNU.sparse.name"))
    if not all(map(_is_utf8, names)):
        records[b"hdrcharset"] = b"BINARY"
    data = pax.format_records(records)
    block = tar.HEADER.pack(
        b"././@PaxHeader",
        *(b"0000000", b"0000000", b"0000000", _octal(len(data), 12), b"0" * 11, b""),
        *(tar.PAX, b"", tar.USTAR_MAGIC, b"00", b"", b"", b"0000000", b"0000000", b""),
    )
    return tar.with_checksum(block) + data.ljust(tar.padded(len(data)), b"\0")


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
