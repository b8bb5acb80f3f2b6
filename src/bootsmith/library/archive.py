"""Images as archives: one tar with the files of an image folder at its top, compressed or not.

That is the form in which Gondolin's registry offers images.  Whatever else an archive holds is
not unpacked, and one that holds links or devices is refused as a whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
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
from bootsmith.sources.debian.inflate import inflated
from bootsmith.tree.contents import content_chunks, read_content
from bootsmith.tree.entry import BlobSlice, Directory, Member, Metadata, RegularFile
from bootsmith.tree.tar_reader import read_tar
from bootsmith.tree.tar_writer import tar_chunks

_SUFFIXES = {None: "", "gzip": ".gz", "xz": ".xz", "zstd": ".zst", "lzma": ".lzma"}
_MAGIC_BYTES = 8
_TAR_MOST_BYTES = 1 << 40
_ARCHIVE = Digest.of(b"the archive")  # the name of the one blob that members are slices of
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
        _unpack(_OneBlob(source), source, folder, origin=archive.name)
    remove_file(plain)


def pack_image(folder: Path, manifest: Manifest, target: Path) -> None:
    """Write the image in ``folder`` as the archive ``target``, in the form its name says.

    Ordinary members only, holes written as zeros, so that every ``tar`` unpacks it.  The same
    image gives the same bytes.  Raises ``ImageError`` for a name of no known form.
    """
    encoder = archive_encoder(target)
    sources = {
        Digest.of(name.encode()): FileSource(folder / name) for name in file_names(folder, manifest)
    }
    blobs = _Blobs(sources)
    members = [
        Member(guest_path(name), _file(blobs, Digest.of(name.encode())))
        for name in file_names(folder, manifest)
    ]
    with publish_file(target) as sink:
        for chunk in tar_chunks(members, blobs=blobs):
            sink.write(encoder.compress(chunk))
        sink.write(encoder.flush())


def is_archive_name(path: Path) -> bool:
    """Whether the name of ``path`` says that it is an archive ``pack_image`` can write."""
    return _form(path) is not None


def archive_encoder(path: Path) -> _Encoder:
    """Raises ``ImageError`` when the name of ``path`` ends in no form there is."""
    form = _form(path)
    if form is None:
        raise ImageError(
            f"{path.name} names no archive form", hint="end it in " + ", ".join(_FORMS)
        )
    return _FORMS[form]()


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


class _Blobs:
    def __init__(self, sources: dict[Digest, FileSource]) -> None:
        self._sources = sources

    def open_blob(self, blob: Digest) -> FileSource:
        return self._sources[blob]


class _OneBlob:
    """A blob source in which every blob is the archive."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source

    def open_blob(self, blob: Digest) -> ByteSource:
        del blob
        return self._source


def _file(blobs: _Blobs, name: Digest) -> RegularFile:
    size_bytes = blobs.open_blob(name).size_bytes
    return RegularFile(Metadata(0o644), BlobSlice(name, 0, size_bytes))


def _unpack(blobs: _OneBlob, source: ByteSource, folder: Path, *, origin: str) -> None:
    files = dict(_files(read_tar(source, blob=_ARCHIVE), origin))
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
