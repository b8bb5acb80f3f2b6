"""Reading a suite of an archive: its release, then its package indexes, each step verified.

``InRelease`` is asked for afresh and must be signed; the digests in it name the ``Packages``
files, which are fetched by digest, or not at all when the store has them already with their
index.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bootsmith.errors import (
    FetchError,
    ImageError,
    IntegrityError,
    PlatformNotFound,
)
from bootsmith.model.digest import Descriptor, Digest
from bootsmith.model.streams import ByteSource, DerivedBlobStore, chunks
from bootsmith.sources.debian.index import (
    INDEX_KIND,
    INDEX_MEDIA_TYPE,
    IndexBuilder,
    PackagesIndex,
)
from bootsmith.sources.debian.release import Release
from bootsmith.sources.debian.trust import Keyring, TrustedRelease, trusted_release
from bootsmith.sources.inflate import inflated
from bootsmith.sources.mirror import IndexFetcher

_NOT_FOUND = 404
_FORMS = (".xz", ".gz", "")  # the smallest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A suite of an archive and the components wanted of it.

    ``archive`` is the caller's key of the archive (``debian``, ``debian-security``): packages
    carry it, and mirrors are chosen by it.
    """

    archive: str
    suite: str
    components: tuple[str, ...] = ("main",)

    def __str__(self) -> str:
        return f"{self.archive} {self.suite}"


class ArchiveFetcher(IndexFetcher, Protocol):
    """Gets an archive's index files from a mirror.  Paths are relative to the mirror."""

    def blob(self, paths: Sequence[str], expected: Descriptor) -> ByteSource:
        """The file that ``expected`` describes, from the first path that has it.

        Raises ``FetchError``, with status 404 when none has it, and ``IntegrityError`` when
        what came is something else.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A repository as it was read: its release and an index for each component."""

    repository: Repository
    trusted: TrustedRelease
    indexes: tuple[PackagesIndex, ...]

    @property
    def release(self) -> Release:
        return self.trusted.release


def read_suite(
    repository: Repository,
    *,
    arch: str,
    fetcher: ArchiveFetcher,
    store: DerivedBlobStore,
    keyring: Keyring,
    now: datetime,
    allow_unsigned: bool = False,
) -> Suite:
    """The suite as the archive has it now.  ``arch`` is dpkg's name.

    Raises ``IntegrityError`` when anything is not what a trusted key signed (``trust.py``),
    ``PlatformNotFound`` when the suite is not made for ``arch``, ``FetchError`` otherwise.
    """
    base = f"dists/{repository.suite}"
    message, signature = _release_files(base, fetcher)
    trusted = trusted_release(
        message,
        signature=signature,
        suite=repository.suite,
        where=f"{repository.archive} {base}/{'InRelease' if signature is None else 'Release'}",
        keyring=keyring,
        now=now,
        allow_unsigned=allow_unsigned,
    )
    indexes = [
        _read_index(trusted.release, base, path, fetcher, store)
        for path in _index_paths(trusted.release, repository, arch)
    ]
    return Suite(repository=repository, trusted=trusted, indexes=tuple(indexes))


def _release_files(base: str, fetcher: ArchiveFetcher) -> tuple[bytes, bytes | None]:
    """``InRelease``; or ``Release`` and its signature, as archives had it before 2012."""
    try:
        return fetcher.fresh(f"{base}/InRelease"), None
    except FetchError as error:
        if error.status != _NOT_FOUND:
            raise
        missing = error
    try:
        release = fetcher.fresh(f"{base}/Release")
    except FetchError as error:
        # The user asked for the suite: its first file is the one to name.
        raise (missing if error.status == _NOT_FOUND else error) from error
    try:
        return release, fetcher.fresh(f"{base}/Release.gpg")
    except FetchError as error:
        if error.status != _NOT_FOUND:
            raise
        return release, b""  # refused by trust.py, unless unsigned archives are allowed


def _index_paths(release: Release, repository: Repository, arch: str) -> Iterator[str]:
    """The ``Packages`` files to read, relative to the suite."""
    if arch not in release.architectures:
        raise PlatformNotFound(
            f"{repository} has no packages for {arch}",
            hint=f"it has: {', '.join(release.architectures)}",
        )
    for component in repository.components:
        path = f"{component}/binary-{arch}/Packages"
        if path not in release.files:
            raise FetchError(
                f"{repository} has no component {component} for {arch}",
                url=f"dists/{repository.suite}/{path}",
                hint=f"it has: {', '.join(release.components)}",
            )
        yield path
        everywhere = f"{component}/binary-all/Packages"
        if release.all_is_apart and everywhere in release.files:
            yield everywhere


def _read_index(
    release: Release, base: str, path: str, fetcher: ArchiveFetcher, store: DerivedBlobStore
) -> PackagesIndex:
    expected = release.files[path]
    recorded = store.derived(INDEX_KIND, expected.digest)
    if recorded is not None:
        try:
            return _open_index(store, recorded.digest, expected.digest)
        except ImageError:
            pass  # pruned or damaged in the store: made again below
    source, suffix = _fetch_index(release, base, path, fetcher)
    plain = inflated(chunks(source, 0, source.size_bytes), suffix)
    builder = IndexBuilder()
    kept = store.add_blob(_fed_to(builder, _read_ahead(plain)), expected=expected)
    index = store.add_blob([builder.finish()])
    index = Descriptor(
        digest=index.digest, size_bytes=index.size_bytes, media_type=INDEX_MEDIA_TYPE
    )
    store.record_derived(INDEX_KIND, expected.digest, index)
    return _open_index(store, index.digest, kept.digest)


def _open_index(store: DerivedBlobStore, index: Digest, packages: Digest) -> PackagesIndex:
    source = store.open_blob(index)
    return PackagesIndex(source.read_at(0, source.size_bytes), store.open_blob(packages))


def _fetch_index(
    release: Release, base: str, path: str, fetcher: ArchiveFetcher
) -> tuple[ByteSource, str]:
    """The smallest form of the file that the mirror has, and the suffix of its name."""
    missing: FetchError | None = None
    for suffix in _FORMS:
        expected = release.files.get(path + suffix)
        if expected is None:
            continue
        folder = f"{base}/{path}".rpartition("/")[0]
        paths = [f"{base}/{path}{suffix}"]
        if release.acquire_by_hash:
            paths.insert(0, f"{folder}/by-hash/SHA256/{expected.digest.hex}")
        try:
            source = fetcher.blob(paths, expected)
        except IntegrityError:
            raise
        except FetchError as error:
            if error.status != _NOT_FOUND:
                raise
            missing = error
        else:
            return source, suffix
    if missing is not None:
        raise missing
    raise FetchError(
        f"{base}/{path} is offered in no form bootsmith reads",
        url=f"{base}/{path}",
        hint="the archive must offer .xz, .gz or the plain file",
    )


def _fed_to(builder: IndexBuilder, data: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in data:
        builder.feed(chunk)
        yield chunk


def _read_ahead(data: Iterator[bytes]) -> Iterator[bytes]:
    """``data``, whose next chunk is decompressed while the last one is hashed and indexed."""
    with ThreadPoolExecutor(max_workers=1) as worker:
        following = worker.submit(next, data, None)
        while (chunk := following.result()) is not None:
            following = worker.submit(next, data, None)
            yield chunk
