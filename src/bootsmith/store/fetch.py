"""Bringing remote blobs into the store: verified as they stream, several at once.

A download that breaks off is continued where it stopped, by this process or the next one.
A digest that does not match is never retried in silence: the bytes are thrown away and the
next address is tried with a warning; with no address left the build stops.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bootsmith.errors import FetchError, ImageError, IntegrityError
from bootsmith.host.clock import pause
from bootsmith.host.http import Answer, HttpClient
from bootsmith.host.object_folder import check_descriptor
from bootsmith.host.partial_file import PartialFile
from bootsmith.model.digest import Descriptor, RemoteBlob
from bootsmith.model.reporter import Reporter
from bootsmith.store.blobs import Store

_TRIES = 4
_PARALLEL = 8
_PARTIAL_CONTENT = 206
_RANGE_NOT_SATISFIABLE = 416


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Fetches what the store does not have.

    With ``offline`` nothing is asked of anyone.  ``first_pause_s`` passes before the second
    try at an address; each further pause is twice as long.
    """

    store: Store
    http: HttpClient
    reporter: Reporter
    offline: bool = False
    first_pause_s: float = 0.5

    def fetch(self, blobs: Iterable[RemoteBlob]) -> None:
        """Have all ``blobs`` in the store.

        Raises ``FetchError`` or ``IntegrityError`` for the first that cannot be had; what
        arrived until then stays in the store.
        """
        missing = [blob for blob in blobs if not self.store.has(blob.descriptor.digest)]
        if not missing:
            return
        if self.offline:
            raise ImageError(
                f"{len(missing)} of the inputs are not in the store at {self.store.root}, "
                f"the first is {_name(missing[0])}",
                hint="build once without --offline",
            )
        size_bytes = sum(blob.descriptor.size_bytes for blob in missing)
        self.reporter.transfer_started(blobs=len(missing), size_bytes=size_bytes)
        # The largest first, so that no large one is left alone at the end.
        missing.sort(key=lambda blob: (-blob.descriptor.size_bytes, blob.descriptor.digest))
        pool = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="fetch")
        try:
            for done in [pool.submit(self._fetch_one, blob) for blob in missing]:
                done.result()
        finally:
            pool.shutdown(cancel_futures=True)
            self.reporter.transfer_ended()

    def _fetch_one(self, blob: RemoteBlob) -> None:
        with self.store.lock(f"fetch-{blob.descriptor.digest.hex}"):
            if self.store.has(blob.descriptor.digest):  # another process brought it meanwhile
                self.reporter.transferred(blob.descriptor.size_bytes)
                return
            failures: list[FetchError] = []
            for url in blob.urls:
                try:
                    self._fetch_patiently(blob, url)
                except FetchError as error:
                    failures.append(error)
                    self.reporter.detail(f"{error}")
                else:
                    return
            raise _worst(failures)

    def _fetch_patiently(self, blob: RemoteBlob, url: str) -> None:
        for attempt in range(1, _TRIES + 1):
            try:
                self._transfer(blob, url)
            except FetchError as error:
                if not error.retryable or attempt == _TRIES:
                    raise
                self.reporter.detail(f"{error}; trying again ({attempt} of {_TRIES - 1})")
                pause(self.first_pause_s * 2 ** (attempt - 1))
            else:
                return

    def _transfer(self, blob: RemoteBlob, url: str) -> None:
        expected = blob.descriptor
        partial = PartialFile(self.store.root / "partial" / expected.digest.hex)
        counted = 0
        try:
            if partial.size_bytes >= expected.size_bytes:
                partial.restart()
            continued = partial.size_bytes
            headers = {"Range": f"bytes={continued}-"} if continued else {}
            with self.http.get(url, headers=headers) as answer:
                if continued and answer.status != _PARTIAL_CONTENT:
                    partial.restart()
                    continued = 0
                _check_announced(answer, expected, url)
                counted = partial.size_bytes
                self.reporter.transferred(counted)
                for chunk in answer.body:
                    partial.append(chunk)
                    counted += len(chunk)
                    self.reporter.transferred(len(chunk))
                    if partial.size_bytes > expected.size_bytes:
                        break
            partial.close()
            _check_complete(partial, expected, url)
            self._accept(partial, blob, url, continued=continued > 0)
        except FetchError as error:
            self.reporter.transferred(-counted)
            if error.status == _RANGE_NOT_SATISFIABLE:
                partial.restart()  # what is here is as long as the file there: it is another one
                raise _wrong_size(url, "no more than what came before", expected) from error
            raise
        finally:
            partial.close()

    def _accept(self, partial: PartialFile, blob: RemoteBlob, url: str, *, continued: bool) -> None:
        try:
            check_descriptor(partial.descriptor(), blob.descriptor, url=url)
        except IntegrityError as error:
            partial.remove()
            if not continued:
                raise
            # The two halves may stem from different answers; the whole must be right.
            self.reporter.warning(f"{error}; fetching all of it again")
            self._transfer(blob, url)
        else:
            self.store.blobs.adopt(partial.path, blob.descriptor)


def _check_announced(answer: Answer, expected: Descriptor, url: str) -> None:
    """Do not begin to fetch what is said to be something else."""
    if answer.status == _PARTIAL_CONTENT:
        total = answer.headers.get("content-range", "").rpartition("/")[2]
    else:
        total = answer.headers.get("content-length", "")
    if total.isdigit() and int(total) != expected.size_bytes:
        raise _wrong_size(url, f"{total} bytes", expected)


def _wrong_size(url: str, actual: str, expected: Descriptor) -> IntegrityError:
    return IntegrityError(
        f"{url} has {actual} instead of {expected.size_bytes} bytes",
        url=url,
        expected=f"{expected.size_bytes} bytes",
        actual=actual,
        hint="the mirror is damaged or in the middle of an update: try another one, or later",
    )


def _check_complete(partial: PartialFile, expected: Descriptor, url: str) -> None:
    if partial.size_bytes < expected.size_bytes:
        raise FetchError(
            f"{url} ended after {partial.size_bytes} of {expected.size_bytes} bytes",
            url=url,
            retryable=True,
        )


def _worst(failures: list[FetchError]) -> FetchError:
    """The failure to tell: an integrity error rather than an address that did not answer."""
    for error in failures:
        if isinstance(error, IntegrityError):
            return error
    return failures[-1]


def _name(blob: RemoteBlob) -> str:
    return blob.urls[0].rpartition("/")[2] if blob.urls else str(blob.descriptor.digest)
