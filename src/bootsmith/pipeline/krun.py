"""What libkrun boots an image with: whether a build can have it, and the kernel out of it.

Everything that can go wrong does so while inputs are chosen: the archive is fetched and opened
then, so that an image is never refused for it when the work is done.  A lock that names the
archive needs it; one that does not makes an image without.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

from bootsmith.config.build_config import BuildConfig
from bootsmith.errors import (
    ArchiveError,
    FetchError,
    ImageError,
    IntegrityError,
    PlatformNotFound,
    ResolveError,
)
from bootsmith.host.files import iter_file
from bootsmith.model.canonical_json import digest_of
from bootsmith.model.digest import Descriptor, Digest, RemoteBlob
from bootsmith.model.streams import BytesSource, bounded, chunks
from bootsmith.pipeline.request import BuildRequest
from bootsmith.pipeline.workbench import Workbench
from bootsmith.plan.lock import Lock, LockedPackage
from bootsmith.sources.libkrunfw import LIBKRUNFW, Release, choose_mirror, kernel_file
from bootsmith.sources.mirror import Mirror
from bootsmith.tree.entry import BlobSlice
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import overlay, read_layer

_SILENCE_MAX_S = 4  # nobody waits longer for what is only taken if it can be had
_ARCHIVE_MAX_BYTES = 256 << 20
_UNPACKED_MAX_BYTES = 384 << 20
_NOT_FOUND = 404


class Krun:
    """The kernel for libkrun, as one build asks for it."""

    def __init__(self, request: BuildRequest, bench: Workbench) -> None:
        self._request = request
        self._bench = bench
        self._config = request.config.krun
        self._release = Release(version=request.config.krunfw_version, arch=request.arch)
        self._what = f"libkrunfw {self._release.version} for {request.arch}"

    def choose(self) -> LockedPackage | Literal["unavailable"] | None:
        """What the lock is to say.

        Raises ``IntegrityError`` when the archive is another than the config says, and
        ``ResolveError`` when it is required and cannot be had.
        """
        if not self._is_wanted():
            return None
        try:
            return self._archive()
        except IntegrityError as error:
            if self._config.sha256 or self._request.krun == "require":
                raise
            return self._go_without(error)
        except (FetchError, ArchiveError, ResolveError) as error:
            if self._request.krun == "require":
                raise self._required(error) from error
            return self._go_without(error)

    def check(self, lock: Lock) -> None:
        """Raises ``ImageError`` when ``lock`` is another than is asked for."""
        archive, again = lock.krun_archive, "build once without --locked to make a new one"
        if archive is None:
            if self._request.krun == "require":
                raise ImageError("the lock was made without a kernel for libkrun", hint=again)
            return
        if self._request.krun == "off":
            raise ImageError("the lock names a kernel for libkrun, and --krun is off", hint=again)
        wanted = self._release
        if (archive.version, archive.arch) != (wanted.version, wanted.arch.value):
            raise ImageError(
                f"the lock was made for libkrunfw {archive.version} for {archive.arch}, the "
                f"config asks for {wanted.version} for {wanted.arch}",
                hint=again,
            )
        self._require_pinned(archive.digest, archive.name)

    def remote(self, archive: LockedPackage) -> RemoteBlob:
        """Where the archive of a lock can be had from."""
        return RemoteBlob(
            descriptor=archive.descriptor, urls=(f"{self._mirror.url}/{archive.path}",)
        )

    def kernel(self, lock: Lock) -> BlobSlice | None:
        """The kernel in the archive of ``lock``, which is in the store; ``None`` without one.

        Raises ``ArchiveError`` when there is none in it.
        """
        archive = lock.krun_archive
        if archive is None:
            return None
        found = self._kernel(archive.name, archive.digest)
        return BlobSlice(found.digest, 0, found.size_bytes)

    def _is_wanted(self) -> bool:
        if self._request.krun == "auto":
            return self._request.config.wants_krun
        return self._request.krun == "require"

    @cached_property
    def _mirror(self) -> Mirror:
        environment = self._bench.mirrors.environment
        return choose_mirror(configured=self._config.mirror, environment=environment)

    def _archive(self) -> LockedPackage:
        """The first archive of the release that is to be had, with a kernel in it."""
        store = self._bench.store
        urls = {name: f"{self._mirror.url}/{self._release.path(name)}" for name in
                self._release.archives}  # fmt: skip
        for name, url in urls.items():
            known = store.derived("libkrunfw-archive", _key(url))
            if known is not None and self._is_pinned(known.digest):
                return self._locked(name, known)
        if self._bench.fetcher.offline:
            raise ResolveError(
                f"{self._what} was never fetched", hint="build once without --offline"
            )
        self._bench.reporter.detail(f"libkrunfw: {self._mirror.url}, from {self._mirror.named_by}")
        for name, url in urls.items():
            try:
                found = self._fetch(url)
            except FetchError as error:
                if error.status != _NOT_FOUND:
                    raise
                continue
            self._require_pinned(found.digest, name)
            self._kernel(name, found.digest)
            store.record_derived("libkrunfw-archive", _key(url), found)
            return self._locked(name, found)
        raise PlatformNotFound(
            f"there is no {self._what} at {self._mirror.url}",
            causes=tuple(f"{url}: HTTP {_NOT_FOUND}" for url in urls.values()),
            hint="check krun.version, or alpine.krunfwVersion",
        )

    def _locked(self, name: str, found: Descriptor) -> LockedPackage:
        return LockedPackage(
            name=name,
            version=self._release.version,
            arch=self._release.arch.value,
            mirror=LIBKRUNFW,
            path=self._release.path(name),
            digest=found.digest,
            size_bytes=found.size_bytes,
        )

    def _fetch(self, url: str) -> Descriptor:
        """The file at ``url``, asked for once and without patience."""
        report = self._bench.reporter
        with self._bench.mirrors.http.get(url, timeout_s=_SILENCE_MAX_S) as answer:
            size = answer.headers.get("content-length", "")
            report.stage(f"Fetching {self._what}")
            report.transfer_started(blobs=1, size_bytes=int(size) if size.isdigit() else 0)

            def arriving() -> Iterator[bytes]:
                for chunk in answer.body:
                    report.transferred(len(chunk))
                    yield chunk

            try:
                return self._bench.store.add_blob(bounded(arriving(), _ARCHIVE_MAX_BYTES, url))
            finally:
                report.transfer_ended()

    def _kernel(self, name: str, archive: Digest) -> Descriptor:
        """The kernel in ``archive``, which is in the store and called ``name``."""
        store, arch = self._bench.store, self._release.arch
        key = digest_of({"archive": str(archive), "name": name, "arch": arch.value})
        known = store.derived("libkrunfw-kernel", key)
        if known is not None:
            return known
        # Opened once a release: hardly any build loads what opens it.
        from bootsmith.image.kernel_image import libkrun_kernel_facts, require_kernel
        from bootsmith.image.libkrunfw import kernel_of_library, kernel_of_source
        from bootsmith.sources.inflate import inflated

        try:
            packed = inflated(iter_file(store.open_blob(archive)), ".gz")
            # For the same reason it is not worth a place in the store.
            tar = BytesSource(b"".join(bounded(packed, _UNPACKED_MAX_BYTES, name)))
            file = kernel_file(overlay(FileTree(), read_layer(tar, archive)), name)
            content = chunks(tar, file.content.offset, file.content.size_bytes)
            if file.is_source:
                kernel = b"".join(kernel_of_source(content))
            else:
                kernel = kernel_of_library(b"".join(content), arch)
            require_kernel(libkrun_kernel_facts(kernel), arch=arch)
        except ImageError as error:
            raise ArchiveError(
                f"{name} of libkrunfw {self._release.version}: {error}", hint=error.hint
            ) from error
        found = store.add_blob([kernel])
        store.record_derived("libkrunfw-kernel", key, found)
        return found

    def _is_pinned(self, digest: Digest) -> bool:
        return not self._config.sha256 or digest.hex in self._config.sha256

    def _require_pinned(self, digest: Digest, name: str) -> None:
        if not self._is_pinned(digest):
            raise IntegrityError(
                f"{name} has the digest {digest}, which is not in krun.sha256",
                expected=" or ".join(self._config.sha256),
                actual=digest.hex,
                hint="put the new digest there if the release was changed by whom you trust",
            )

    def _required(self, error: ImageError) -> ResolveError:
        if isinstance(error, ResolveError):
            return error
        return ResolveError(
            f"{self._what} cannot be had, which --krun require asks for",
            causes=(str(error),),
            hint="name a server that has it ($BOOTSMITH_KRUNFW_MIRROR), or build with --krun auto",
        )

    def _go_without(self, error: ImageError) -> Literal["unavailable"]:
        self._bench.reporter.warning(
            f"the image gets no kernel for libkrun (QEMU needs none; --krun off asks for none): "
            f"{str(error).splitlines()[0]}"
        )
        return "unavailable"


def krun_record(lock: Lock, config: BuildConfig) -> dict[str, Any]:
    """What the manifest tells of libkrun's kernel.

    ``pinned`` tells whether the config said what its archive is; nobody signs it.
    """
    if lock.krun is None:
        return {}
    archive = lock.krun_archive
    if archive is None:
        return {"krun": "unavailable"}
    return {
        "krun": {
            "archive": archive.name,
            "version": archive.version,
            "digest": str(archive.digest),
            "pinned": bool(config.krun.sha256),
        }
    }


def _key(url: str) -> Digest:
    return Digest.of(url.encode())
