"""Packages of the store, opened: their control files, and their files as a layer.

An index names a package by a digest of its control part, not of the file; so a file is taken in
(``admit_apk``) before a lock can name it: from the index to the last byte all digests are checked
then.  From then on the file's own digest is what is checked, and the index is not needed any more.
A package's data is decompressed once, when it is opened first (``unpack_apk``); that may be while
its digest is still being checked.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from bootsmith.errors import ArchiveError, IntegrityError, UnsafePath
from bootsmith.model.digest import Descriptor, Digest
from bootsmith.model.streams import ByteSource, DerivedBlobStore
from bootsmith.sources.alpine.apk import Apk, Control, check_identity, open_apk
from bootsmith.sources.alpine.data_tar import ApkFile, read_data
from bootsmith.sources.alpine.description import described
from bootsmith.sources.alpine.package import APK_MEDIA_TYPE, ApkPackage

FILE_KIND = "alpine-apk"
"""The kind under which a package's file is recorded, by the package's identity."""

DATA_KIND = "alpine-apk-data"
"""The kind under which the uncompressed data of a package is kept, by its file's digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenApk:
    """A package file in the store, and what it must say of itself.

    ``arch`` is that of the index it was chosen from.
    """

    name: str
    version: str
    arch: str
    digest: Digest

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackedApk:
    """A package whose files can be read, in the order of its archive."""

    package: ApkPackage
    control: Control
    files: tuple[ApkFile, ...]


def known_apk(package: ApkPackage, *, store: DerivedBlobStore) -> Descriptor | None:
    """The file of ``package``, if it was admitted and is still in the store."""
    return store.derived(FILE_KIND, package.identity)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifiedApk:
    """A package that is the one an index names, and a check of its data that may still be going on.

    ``checked`` ends with what ``Apk.check_data`` raises.
    """

    apk: Apk
    checked: Future[None]


def admit_apk(
    package: ApkPackage,
    file: Digest,
    *,
    store: DerivedBlobStore,
    on_identified: Callable[[IdentifiedApk], object] = lambda _: None,
) -> None:
    """Check that the blob ``file`` is ``package``, whole and unchanged, and remember it.

    ``on_identified`` is called before the data is checked: whoever wants to open the package can
    begin to.  Raises ``IntegrityError`` when it is anything else, ``ArchiveError`` when it is
    malformed.
    """
    try:
        source = store.open_blob(file)
        _check_size(source.size_bytes, package)
        apk = open_apk(source)
        check_identity(apk, package)
        found = IdentifiedApk(apk=apk, checked=Future())
        on_identified(found)
        _check_data(found, source)
    except (ArchiveError, IntegrityError) as error:
        raise _about(package, error) from error
    descriptor = Descriptor(digest=file, size_bytes=source.size_bytes, media_type=APK_MEDIA_TYPE)
    store.record_derived(FILE_KIND, package.identity, descriptor)


def unpack_apk(
    chosen: ChosenApk, *, store: DerivedBlobStore, identified: IdentifiedApk | None = None
) -> UnpackedApk:
    """Open a package whose file is in ``store``; ``identified`` is what is known of it already.

    Raises ``IntegrityError`` for a file that is not its package, ``ArchiveError`` for a
    malformed one and ``UnsafePath`` for a hostile one.
    """
    try:
        source = store.open_blob(chosen.digest)
        apk = identified.apk if identified else open_apk(source)
        package = described(apk, arch=chosen.arch, size_bytes=source.size_bytes, where=str(chosen))
        _check_name(package, chosen)
        blob = store.derived(DATA_KIND, chosen.digest)
        if blob is None:
            checked = identified.checked if identified else None
            blob = _inflated(apk, source, checked=checked, store=store)
            store.record_derived(DATA_KIND, chosen.digest, blob)
        files = tuple(read_data(store.open_blob(blob.digest), blob=blob.digest))
    except (ArchiveError, IntegrityError) as error:
        raise _about(chosen, error) from error
    return UnpackedApk(package=package, control=apk.control, files=files)


def _inflated(
    apk: Apk, source: ByteSource, *, checked: Future[None] | None, store: DerivedBlobStore
) -> Descriptor:
    """The data of a package, inflated, in the store; it is checked here unless it is elsewhere."""
    if checked is not None:
        return store.add_blob(apk.data_chunks(source, checked=checked))
    with ThreadPoolExecutor(1, thread_name_prefix="digest") as beside:
        checked = beside.submit(apk.check_data, source)
        return store.add_blob(apk.data_chunks(source, checked=checked))


def _check_data(found: IdentifiedApk, source: ByteSource) -> None:
    """Raises what the check does; who waits for it is told, too."""
    try:
        found.apk.check_data(source)
    except BaseException as error:
        found.checked.set_exception(error)
        raise
    found.checked.set_result(None)


def _check_name(package: ApkPackage, chosen: ChosenApk) -> None:
    if str(package) != str(chosen):
        raise IntegrityError(
            "its file is another package",
            expected=str(chosen),
            actual=str(package),
            hint="build once without --locked to make a new lock",
        )


def _check_size(size_bytes: int, package: ApkPackage) -> None:
    if size_bytes != package.size_bytes:
        raise IntegrityError(
            "its file is another than its index names",
            expected=f"{package.size_bytes} bytes",
            actual=f"{size_bytes} bytes",
            hint="the mirror is damaged or in the middle of an update: try another one, or later",
        )


def _about(
    package: ApkPackage | ChosenApk, error: ArchiveError | IntegrityError
) -> ArchiveError | IntegrityError:
    message = f"the package {package}: {error}"
    if isinstance(error, IntegrityError):
        return IntegrityError(
            message,
            expected=error.expected,
            actual=error.actual,
            url=error.url or package.name,
            hint=error.hint,
        )
    kind = UnsafePath if isinstance(error, UnsafePath) else ArchiveError
    return kind(message, member=error.member or package.name, offset=error.offset, hint=error.hint)
