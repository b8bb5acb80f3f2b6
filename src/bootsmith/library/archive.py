"""Images as archives: one tar with the files of an image folder at its top, compressed or not.

That is the form in which Gondolin's registry offers images.  Whatever else an archive holds is
not unpacked, and one that holds links or devices is refused as a whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, cast

from isal import isal_zlib

from bootsmith.errors import ArchiveError, ImageError, UnsafePath
from bootsmith.host.cloning import write_sparse
from bootsmith.host.files import FileSink, FileSource, iter_file
from bootsmith.host.paths import remove_file
from bootsmith.host.publish import publish_file
from bootsmith.image.decompression import compression_name
from bootsmith.library.image_files import file_names
from bootsmith.manifest.manifest import MANIFEST_NAME, Manifest, decode_manifest
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import GuestPath, display, guest_path
from bootsmith.model.streams import ByteSource
from bootsmith.model.zstd import zstd
from bootsmith.sources.inflate import inflated
from bootsmith.tree.contents import content_chunks, read_content
from bootsmith.tree.entry import BlobSlice, Directory, Member, Metadata, RegularFile
from bootsmith.tree.tar_format import BLOCK_BYTES, checksum_holds
from bootsmith.tree.tar_reader import read_tar
from bootsmith.tree.tar_writer import tar_chunks

WHAT_IS_TAKEN_IN = (
    f"an image is a folder with {MANIFEST_NAME} in it, or an archive of its files: "
    ".tar, .tar.gz or .tar.zst"
)

_SUFFIXES = {None: "", "gzip": ".gz", "xz": ".xz", "zstd": ".zst", "lzma": ".lzma"}
_MAGIC_BYTES = 8
_TAR_MOST_BYTES = 1 << 40
_OTHER_ARCHIVES = {".txz", ".tbz", ".tbz2", ".tzst", ".zip", ".7z", ".oci"}
_GZIP = 16 + zlib.MAX_WBITS


def unpack_image(archive: Path, folder: Path, *, beside: Path) -> None:
    """Unpack the image in ``archive`` into ``folder``; ``beside`` has room for its plain tar.

    Raises ``UnsafePath`` for an archive with links, devices or paths that lead out of it, and
    ``ArchiveError`` for one that is damaged or holds no image.
    """
    plain = beside / "archive.tar"
    with FileSource(archive) as source, FileSink(plain) as sink:
        name = compression_name(source.read_at(0, _MAGIC_BYTES))
        if name not in _SUFFIXES:
            raise ArchiveError(f"{archive} is compressed with {name}, which is not read")
        for chunk in inflated(iter_file(source), _SUFFIXES[name]):
            write_sparse(sink, chunk)
            if sink.position > _TAR_MOST_BYTES:
                raise ArchiveError(f"{archive} grows beyond {_TAR_MOST_BYTES} bytes")
    with FileSource(plain) as source:
        if not _begins_as_tar(source):
            raise ArchiveError(f"{archive} is no archive of an image", hint=WHAT_IS_TAKEN_IN)
        _unpack(source, folder, origin=archive.name)
    remove_file(plain)


def pack_image(folder: Path, manifest: Manifest, target: Path) -> None:
    """Write the image in ``folder`` as the archive ``target``, in the form its name says.

    Ordinary members only, holes written as zeros, so that every ``tar`` unpacks it.  The same
    image gives the same bytes.  ``is_archive_name`` must hold for ``target``.
    """
    form = _form(target)
    assert form is not None
    encoder = _FORMS[form]()
    with ExitStack() as open_files, publish_file(target) as sink:
        blobs = _Files()
        members = []
        for name in file_names(folder, manifest):
            source = open_files.enter_context(FileSource(folder / name))
            content = blobs.add(name, source)
            members.append(Member(guest_path(name), RegularFile(Metadata(0o644), content)))
        for chunk in tar_chunks(members, blobs=blobs):
            sink.write(encoder.compress(chunk))
        sink.write(encoder.flush())


def is_archive_name(path: Path) -> bool:
    """Whether the name of ``path`` says that it is an archive ``pack_image`` writes.

    Raises ``ImageError`` for the name of an archive that it does not write: a folder of that
    name is not what was meant.
    """
    if _form(path) is not None:
        return True
    if ".tar." in path.name or path.suffix in _OTHER_ARCHIVES:
        raise ImageError(
            f"{path.name} is no form of archive that is written",
            hint="end it in " + ", ".join(_FORMS),
        )
    return False


class _Encoder(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _Plain:
    def compress(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


# Speed before size: an archive is on its way, not at home.
_FORMS: dict[str, Callable[[], _Encoder]] = {
    ".tar": _Plain,
    ".tar.gz": lambda: cast("_Encoder", isal_zlib.compressobj(2, wbits=_GZIP)),
    ".tgz": lambda: cast("_Encoder", isal_zlib.compressobj(2, wbits=_GZIP)),
    ".tar.zst": lambda: zstd.ZstdCompressor(level=3),
}


def _form(path: Path) -> str | None:
    return next((form for form in _FORMS if path.name.endswith(form)), None)


class _Files:
    """Files as blobs that are named by the file's name: what they hold need not be hashed."""

    def __init__(self) -> None:
        self._sources: dict[Digest, ByteSource] = {}

    def add(self, name: str, source: ByteSource) -> BlobSlice:
        blob = Digest.of(name.encode())
        self._sources[blob] = source
        return BlobSlice(blob, 0, source.size_bytes)

    def open_blob(self, blob: Digest) -> ByteSource:
        return self._sources[blob]


def _begins_as_tar(source: ByteSource) -> bool:
    """Any other file is told apart from an archive that was damaged further on."""
    first = source.read_at(0, min(BLOCK_BYTES, source.size_bytes))
    return len(first) == BLOCK_BYTES and checksum_holds(first)


def _unpack(source: ByteSource, folder: Path, *, origin: str) -> None:
    blobs = _Files()
    files = dict(_files(read_tar(source, blob=blobs.add("archive", source).blob), origin))
    found = files.get(guest_path(MANIFEST_NAME))
    if found is None:
        raise ArchiveError(
            f"{origin} holds no image: there is no {MANIFEST_NAME} at its top",
            hint="pack the files of an image folder, not the folder",
        )
    text = read_content(found.content, blobs=blobs)
    names = file_names(None, decode_manifest(text))
    for name in names:
        file = files.get(guest_path(name))
        if file is not None:
            with FileSink(folder / name) as sink:
                for chunk in content_chunks(file.content, blobs=blobs):
                    write_sparse(sink, chunk)


def _files(members: Iterable[Member], origin: str) -> Iterator[tuple[GuestPath, RegularFile]]:
    for path, entry in members:
        if isinstance(entry, RegularFile):
            yield path, entry
        elif not isinstance(entry, Directory):
            kind = type(entry).__name__
            raise UnsafePath(
                f"{origin}: {display(path)} is a {kind}, an image is made of plain files",
                member=display(path),
                hint="the archive was tampered with, or is not one of an image",
            )
