"""Reading a repository: its signed index, fetched afresh, verified, and kept taken apart."""

from __future__ import annotations

from dataclasses import dataclass

from bootsmith.errors import ArchiveError, FetchError, ImageError
from bootsmith.model.digest import Descriptor, Digest
from bootsmith.model.streams import BytesSource, DerivedBlobStore
from bootsmith.sources.alpine.gzip_members import read_member
from bootsmith.sources.alpine.index import (
    INDEX_KIND,
    INDEX_MEDIA_TYPE,
    MOST_BYTES,
    PackageIndex,
    make_index,
)
from bootsmith.sources.alpine.metadata_tar import read_files
from bootsmith.sources.alpine.mirror import ALPINE, ENVIRONMENT, Repository
from bootsmith.sources.alpine.trust import Keyring, signed_part
from bootsmith.sources.mirror import IndexFetcher

_INDEX = "APKINDEX"
_NOT_FOUND = 404
_GZIP = b"\x1f\x8b"
_ADB = b"ADB"  # how apk 3's own formats begin


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRepository:
    """A repository as it was read.  ``signed_by`` names the key; ``None`` when it is unsigned
    and that was allowed."""

    repository: Repository
    index: PackageIndex
    signed_by: str | None


def read_repository(
    repository: Repository,
    *,
    arch: str,
    fetcher: IndexFetcher,
    store: DerivedBlobStore,
    keyring: Keyring,
    allow_unsigned: bool = False,
) -> OpenRepository:
    """The repository as the mirror has it now.  ``arch`` is apk's name.

    Raises ``FetchError``, naming the address, when there is no index or no answer,
    ``IntegrityError`` when it is not signed by a key of ``keyring``, and ``ArchiveError`` when
    it is malformed.
    """
    path = repository.below(f"{arch}/{_INDEX}.tar.gz")
    url = fetcher.address(path)
    data = _fetch(repository, arch, fetcher, path)
    if not data.startswith((_GZIP, _ADB)):
        raise ArchiveError(
            f"{url} is no index of packages: it "
            + (f"begins with {data[:16]!r}" if data else "is empty"),
            offset=0,
            hint="look there with a browser: what answers may be the login page of a network, or "
            "no mirror at all",
        )
    if data.startswith(_ADB):
        raise ArchiveError(
            f"{url} is an index of apk 3's own format, which bootsmith cannot read",
            hint="use a repository that has an APKINDEX.tar.gz, as Alpine's own have",
        )
    signed = signed_part(data, keyring=keyring, where=url, allow_unsigned=allow_unsigned)
    return OpenRepository(
        repository=repository,
        index=_index(data, signed.offset, url, store),
        signed_by=signed.signed_by,
    )


def _fetch(repository: Repository, arch: str, fetcher: IndexFetcher, path: str) -> bytes:
    try:
        return fetcher.fresh(path)
    except FetchError as error:
        if type(error) is not FetchError:
            raise
        if error.status == _NOT_FOUND:
            message = f"the repository {repository} has no index for {arch}: {error}"
            hint = "check the branch, the repository's name and the architecture"
        else:
            message = str(error)
            hint = (
                f"name another mirror (--mirror, ${ENVIRONMENT}), or build from Debian: "
                "--preset debian"
                if repository.mirror == ALPINE
                else "check the address, or leave the repository out"
            )
        raise FetchError(
            message,
            url=error.url or fetcher.address(path),
            status=error.status,
            retryable=error.retryable,
            hint=hint,
        ) from error


def _index(data: bytes, offset: int, url: str, store: DerivedBlobStore) -> PackageIndex:
    key = Digest.of(data)
    recorded = store.derived(INDEX_KIND, key)
    if recorded is not None:
        try:
            source = store.open_blob(recorded.digest)
            return PackageIndex(source.read_at(0, source.size_bytes))
        except ImageError:
            pass  # pruned or damaged in the store: made again below
    try:
        index = make_index(_index_text(data, offset))
    except ArchiveError as error:
        raise ArchiveError(
            f"{url} is malformed: {error}",
            offset=error.offset,
            hint="whoever keeps this repository has to mend it; leave it out until then",
        ) from error
    kept = store.add_blob([index])
    store.record_derived(
        INDEX_KIND,
        key,
        Descriptor(digest=kept.digest, size_bytes=kept.size_bytes, media_type=INDEX_MEDIA_TYPE),
    )
    return PackageIndex(index)


def _index_text(data: bytes, offset: int) -> bytes:
    member = read_member(BytesSource(data), offset, most_bytes=MOST_BYTES)
    if member.end != len(data):
        raise ArchiveError("something follows the index", offset=member.end)
    for file in read_files(member.data):
        if file.name == _INDEX:
            return file.content
    raise ArchiveError(f"there is no {_INDEX} in it")
