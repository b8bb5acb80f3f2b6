"""The packages of one build, each opened once however many ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Lock

from bootsmith.model.digest import Descriptor
from bootsmith.model.streams import DerivedBlobStore
from bootsmith.sources.alpine.package import ApkPackage
from bootsmith.sources.alpine.unpacked import (
    ChosenApk,
    IdentifiedApk,
    UnpackedApk,
    admit_apk,
    unpack_apk,
)

_PARALLEL = 2  # decompressing and hashing let others run, and reading headers lets none


class OpenedApks:
    """Packages of ``store`` with their lists of files; for use from several threads.

    The root file system, the kernel and the initramfs share packages.  One that is taken in is
    opened right away, beside whatever the build does until it asks for it; ``close`` when nobody
    will any more.
    """

    def __init__(self, store: DerivedBlobStore) -> None:
        self._store = store
        self._lock = Lock()
        self._opened: dict[ChosenApk, Future[UnpackedApk]] = {}
        self._workers = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="apk")

    def admit(self, package: ApkPackage, found: Descriptor) -> None:
        """Take in the blob ``found`` as the file of ``package``.

        Raises the errors of ``admit_apk``.
        """
        chosen = ChosenApk(
            name=package.name,
            version=str(package.version),
            arch=package.arch,
            digest=found.digest,
        )
        admit_apk(
            package, found.digest, store=self._store, on_identified=partial(self._begin, chosen)
        )

    def open(self, chosen: Sequence[ChosenApk]) -> tuple[UnpackedApk, ...]:
        """Packages whose files are in the store, in their order.

        Raises the errors of ``unpack_apk``, for the first that has any.
        """
        return tuple(opened.result() for opened in [self._begin(one) for one in chosen])

    def close(self) -> None:
        """Begin to open no more, and wait for those that are being opened."""
        self._workers.shutdown(cancel_futures=True)

    def _begin(
        self, chosen: ChosenApk, identified: IdentifiedApk | None = None
    ) -> Future[UnpackedApk]:
        with self._lock:
            opened = self._opened.get(chosen)
            if opened is None:
                opened = self._workers.submit(
                    unpack_apk, chosen, store=self._store, identified=identified
                )
                self._opened[chosen] = opened
            return opened
