"""The small tar archives in which apk keeps signatures, control files and indexes.

They are cut: all but the last of a file's archives lack the blocks of zeros at their end, so
that together they are one archive.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bootsmith.errors import ArchiveError
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import display
from bootsmith.model.streams import BytesSource
from bootsmith.tree.entry import BlobSlice, InlineBytes, RegularFile
from bootsmith.tree.tar_reader import read_tar

_NOWHERE = Digest.of(b"")  # these archives are no blobs


class MetadataFile(NamedTuple):
    name: str
    content: bytes


def read_files(tar: bytes) -> tuple[MetadataFile, ...]:
    """The regular files in an archive, in its order.

    Raises ``ArchiveError`` for a malformed archive and for a name that stands twice: which of
    the two another program would take is not to be relied on.
    """
    files = tuple(_files(tar))
    names = [file.name for file in files]
    for name in names:
        if names.count(name) > 1:
            raise ArchiveError(f"{name} stands twice in the archive", member=name)
    return files


def _files(tar: bytes) -> Iterator[MetadataFile]:
    for path, entry in read_tar(BytesSource(tar), blob=_NOWHERE):
        if not isinstance(entry, RegularFile):
            continue
        match entry.content:
            case BlobSlice(_, offset, size):
                content = tar[offset : offset + size]
            case InlineBytes(content):
                pass
            case _:
                raise ArchiveError("a file with holes among the metadata", member=display(path))
        yield MetadataFile(path.decode("utf-8", "surrogateescape"), content)
