"""Trees as ext4 images in files and in memory, and the comparison of trees by content."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from bootsmith.host.files import FileSink, FileSource
from bootsmith.image.ext4 import Ext4Options, Ext4Reader, Ext4Summary, Profile, write_ext4
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import GuestPath
from bootsmith.model.streams import BlobSource, ByteSource, BytesSink
from bootsmith.tree.entry import (
    BlobSlice,
    Content,
    Directory,
    Entry,
    InlineBytes,
    Metadata,
    RegularFile,
    runs,
)
from bootsmith.tree.file_tree import FileTree
from tests.support.judges import judge
from tests.support.memory_blobs import MemoryBlobs

CREATED_S = 1_700_000_000
IMAGE = Digest.of(b"the image itself")
PLAIN = Metadata(0o644)
DIRECTORY = Directory(Metadata(0o755))


def options(**changes: Any) -> Ext4Options:
    """Options with fixed identity; read-only and without free space unless told otherwise."""
    given = {
        "uuid": bytes(range(0x10, 0x20)),
        "hash_seed": bytes(range(0x20, 0x30)),
        "created_s": CREATED_S,
        "profile": Profile.READ_ONLY,
        **changes,
    }
    return Ext4Options(**given)


def tree_of(entries: dict[bytes, Entry]) -> FileTree:
    return FileTree({GuestPath(path): entry for path, entry in entries.items()})


def file_of(data: bytes, **metadata: Any) -> RegularFile:
    return RegularFile(Metadata(**{"mode": 0o644, **metadata}), InlineBytes(data))


def image_bytes(tree: FileTree, blobs: BlobSource | None = None, **changes: Any) -> bytes:
    sink = BytesSink()
    write_ext4(tree, options(**changes), blobs or MemoryBlobs(), sink)
    return bytes(sink.data)


def write_image(
    path: Path, tree: FileTree, blobs: BlobSource | None = None, **changes: Any
) -> Ext4Summary:
    with FileSink(path) as sink:
        return write_ext4(tree, options(**changes), blobs or MemoryBlobs(), sink)


def read_image(path: Path) -> FileTree:
    """The tree in the image at ``path``, after every check our reader has."""
    with FileSource(path) as source:
        reader = Ext4Reader(source)
        reader.check_groups()
        return reader.read_tree(IMAGE)


def e2fsck(path: Path) -> None:
    """Fails the running test when e2fsck finds anything at all."""
    said = judge("e2fsck", "-fn", path)
    lines = [line for line in said.splitlines() if line]
    unexpected = [line for line in lines if not line.startswith(("Pass ", "e2fsck 1.", "rootfs: "))]
    assert not unexpected, said


class ImageBlob:
    """A blob source in which every blob is the same bytes: those of an image."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source

    def open_blob(self, blob: Digest) -> ByteSource:
        del blob
        return self._source


def content_bytes(content: Content, blobs: BlobSource) -> bytes:
    data = bytearray(content.size_bytes)
    for offset, piece in runs(content):
        data[offset : offset + piece.size_bytes] = _piece_bytes(piece, blobs)
    return bytes(data)


def comparable(tree: FileTree, blobs: BlobSource) -> dict[GuestPath, object]:
    """Everything in ``tree`` with contents as digests; without an empty ``lost+found``."""
    found: dict[GuestPath, object] = {}
    for path, entry in tree.items():
        if path == b"lost+found" and entry == _lost_and_found():
            continue
        if isinstance(entry, RegularFile):
            data = content_bytes(entry.content, blobs)
            found[path] = (entry.metadata, len(data), hashlib.sha256(data).hexdigest())
        else:
            found[path] = entry
    return found


def _lost_and_found() -> Directory:
    return Directory(Metadata(0o700, mtime_ns=CREATED_S * 1_000_000_000))


def _piece_bytes(piece: InlineBytes | BlobSlice, blobs: BlobSource) -> bytes:
    if isinstance(piece, InlineBytes):
        return piece.data
    return blobs.open_blob(piece.blob).read_at(piece.offset, piece.size_bytes)
