"""The minirootfs that a config names: into the store, and what an image begins as out of it.

A file of this machine is read anew by every build; what an address has is known by the digest
that the config must give, and is fetched once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property

from bootsmith.config.distributions import MinirootfsConfig
from bootsmith.errors import (
    ArchiveError,
    ConfigError,
    HostError,
    ImageError,
    IntegrityError,
    PlatformNotFound,
    Problem,
    UnsafePath,
)
from bootsmith.host.files import FileSource, iter_file, sha256_of, user_path
from bootsmith.host.patience import patiently
from bootsmith.model.arch import Arch
from bootsmith.model.digest import Descriptor, Digest
from bootsmith.model.streams import bounded
from bootsmith.pipeline.workbench import Workbench
from bootsmith.plan.alpine import Minirootfs
from bootsmith.sources.alpine.minirootfs import BaseRoot, is_packed, read_minirootfs, unpacked

_TAR_KIND = "alpine-minirootfs"
_FETCHED_MOST_BYTES = 4 << 30


class AlpineMinirootfs:
    """The archive of one config, opened when it is asked for."""

    def __init__(self, config: MinirootfsConfig, arch: Arch, bench: Workbench) -> None:
        self._config = config
        self._arch = arch
        self._bench = bench

    @cached_property
    def digest(self) -> Digest:
        """What the archive is; one of this machine is in the store now.

        Raises ``ConfigError`` when it cannot be read, and ``IntegrityError`` when it is another
        than the config says.
        """
        if self._config.is_address:
            return self._expected
        return self._taken_in.digest

    @cached_property
    def archive(self) -> Descriptor:
        """The archive, in the store.

        Raises ``FetchError`` or ``IntegrityError`` when it cannot be had, ``ImageError`` when no
        server may be asked.
        """
        if not self._config.is_address:
            return self._taken_in
        store, digest = self._bench.store, self.digest
        with store.fetching(digest):
            if not store.has(digest):
                self._fetch()
        return Descriptor(digest=digest, size_bytes=store.open_blob(digest).size_bytes)

    @cached_property
    def root(self) -> BaseRoot:
        """What is in it, without its packages.  Raises as ``archive`` and ``read_minirootfs``."""
        store = self._bench.store
        try:
            tar = self._tar()
            return read_minirootfs(store.open_blob(tar), tar, arch=self._arch.apk, blobs=store)
        except PlatformNotFound as error:
            raise PlatformNotFound(self._about(error), hint=error.hint) from error
        except ArchiveError as error:
            kind = UnsafePath if isinstance(error, UnsafePath) else ArchiveError
            raise kind(
                self._about(error), member=error.member, offset=error.offset, hint=error.hint
            ) from error

    @property
    def resolved(self) -> Minirootfs:
        """What a lock is made of."""
        return Minirootfs(archive=self.archive, world=self.root.world)

    @property
    def _expected(self) -> Digest:
        assert self._config.sha256 is not None  # the config's own check
        return Digest.sha256(self._config.sha256)

    @cached_property
    def _taken_in(self) -> Descriptor:
        store = self._bench.store
        try:
            with FileSource(user_path(self._config.source, base=self._bench.files)) as source:
                found = Descriptor(digest=sha256_of(source), size_bytes=source.size_bytes)
                if self._config.sha256 is not None and found.digest != self._expected:
                    raise self._another(found.digest)
                if not store.has(found.digest):
                    store.add_blob(iter_file(source), expected=found)
        except HostError as error:
            problem = Problem(
                pointer="alpine.minirootfs", message=str(error), suggestion=error.hint
            )
            raise ConfigError("the minirootfs cannot be read", problems=(problem,)) from error
        return found

    def _fetch(self) -> None:
        if self._bench.fetcher.offline:
            raise ImageError(
                f"the minirootfs {self._config.source} is not in the store at "
                f"{self._bench.store.root}",
                hint="build once without --offline",
            )
        self._bench.reporter.stage("Fetching the minirootfs")
        patiently(
            self._fetch_once,
            first_pause_s=self._bench.fetcher.first_pause_s,
            reporter=self._bench.reporter,
        )

    def _fetch_once(self) -> None:
        report, source = self._bench.reporter, self._config.source
        with self._bench.mirrors.http.get(source) as answer:
            size = answer.headers.get("content-length", "")
            report.transfer_started(blobs=1, size_bytes=int(size) if size.isdigit() else 0)
            try:
                arriving = bounded(answer.body, _FETCHED_MOST_BYTES, source)
                self._bench.store.add_blob(self._checked(arriving))
            finally:
                report.transfer_ended()

    def _checked(self, arriving: Iterator[bytes]) -> Iterator[bytes]:
        """Nothing is kept that is not what the config says."""
        hasher = hashlib.sha256()
        for chunk in arriving:
            hasher.update(chunk)
            self._bench.reporter.transferred(len(chunk))
            yield chunk
        found = Digest.sha256(hasher.hexdigest())
        if found != self._expected:
            raise self._another(found)

    def _tar(self) -> Digest:
        """The uncompressed tar in the archive, in the store."""
        store, archive = self._bench.store, self.archive.digest
        source = store.open_blob(archive)
        if not is_packed(source):
            return archive
        known = store.derived(_TAR_KIND, archive)
        if known is None:
            known = store.add_blob(unpacked(source))
            store.record_derived(_TAR_KIND, archive, known)
        return known.digest

    def _another(self, found: Digest) -> IntegrityError:
        return IntegrityError(
            f"the minirootfs {self._config.source} has the digest {found}, and "
            "alpine.minirootfs.sha256 is another",
            expected=self._config.sha256 or "",
            actual=found.hex,
            url=self._config.source,
            hint="put the new digest there if whom you trust has changed the archive",
        )

    def _about(self, error: ImageError) -> str:
        return f"the minirootfs {self._config.source}: {error}"
