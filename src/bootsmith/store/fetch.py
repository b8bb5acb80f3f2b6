"""Bringing remote blobs into the store: verified as they stream, several at once.

A download that breaks off is continued where it stopped, by this process or the next one.
A digest that does not match is never retried in silence: the bytes are thrown away and the
next address is tried with a warning; with no address left the build stops.

Where nobody tells a file's digest beforehand (``UnnamedBlob``), whoever wants it judges the
whole file before it counts as fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial

from bootsmith.errors import ArchiveError, FetchError, ImageError, IntegrityError
from bootsmith.host.http import Answer, HttpClient
from bootsmith.host.object_folder import check_descriptor
from bootsmith.host.partial_file import PartialFile
from bootsmith.host.patience import patiently
from bootsmith.model.digest import Descriptor, Digest, RemoteBlob
from bootsmith.model.reporter import Reporter
from bootsmith.store.blobs import Store
from bootsmith.store.lanes import LOOK_S, Lanes

_PARALLEL = 8
_PARTIAL_CONTENT = 206
_RANGE_NOT_SATISFIABLE = 416


@dataclass(frozen=True, slots=True, kw_only=True)
class UnnamedBlob:
    """A file whose digest is not known yet, and its address.

    ``key`` stands for it until then.  ``admit`` is called with what came, from one of the
    fetcher's threads, and raises ``IntegrityError`` or ``ArchiveError`` when it is not what is
    wanted.
    """

    key: Digest
    size_bytes: int
    url: str
    admit: Callable[[Descriptor], None]


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
        self._fetch_all(
            [_Download.of(blob) for blob in blobs if not self.store.has(blob.descriptor.digest)]
        )

    def take_in(self, blobs: Iterable[UnnamedBlob]) -> None:
        """Have all ``blobs`` in the store and admitted; each is asked for, be it there or not.

        Raises as ``fetch`` does, and what ``admit`` raises.
        """
        self._fetch_all([_Download.unnamed(blob) for blob in blobs])

    def _fetch_all(self, missing: list[_Download]) -> None:
        if not missing:
            return
        if self.offline:
            raise ImageError(
                f"{len(missing)} of the inputs are not in the store at {self.store.root}, "
                f"the first is {missing[0].name}",
                hint="build once without --offline",
            )
        size_bytes = sum(blob.size_bytes for blob in missing)
        self.reporter.transfer_started(blobs=len(missing), size_bytes=size_bytes)
        # The largest first, so that no large one is left alone at the end.
        missing.sort(key=lambda blob: (-blob.size_bytes, blob.key))
        try:
            lanes = Lanes(_PARALLEL)
            with ThreadPoolExecutor(_PARALLEL) as workers:
                begun = [workers.submit(self._fetch_one, blob, lanes) for blob in missing]
                try:
                    for one in begun:
                        while not (lanes.are_many or one.done()):
                            wait([one], LOOK_S)
                            lanes.look()
                        one.result()
                finally:
                    for one in begun:
                        one.cancel()  # after a failure: those that have not begun
        finally:
            self.reporter.transfer_ended()

    def _fetch_one(self, blob: _Download, lanes: Lanes) -> None:
        failures: list[FetchError] = []
        for url in blob.urls:
            try:
                patiently(
                    partial(self._transfer, blob, url, lanes),
                    first_pause_s=self.first_pause_s,
                    reporter=self.reporter,
                )
            except FetchError as error:
                failures.append(error)
                if isinstance(error, IntegrityError) and url != blob.urls[-1]:
                    self.reporter.warning(f"{error}; trying the next address")
                else:
                    self.reporter.detail(f"{error}")
            else:
                return
        raise _worst(failures)

    def _transfer(self, blob: _Download, url: str, lanes: Lanes) -> None:
        with lanes:
            if not self._transfer_once(blob, url):
                self._transfer_once(blob, url)  # from its beginning: now it is right, or raises

    def _transfer_once(self, blob: _Download, url: str) -> bool:
        """Whether what came was right; not so for one that was continued, and is now removed."""
        with self.store.fetching(blob.key):
            if blob.digest is not None and self.store.has(blob.digest):
                self.reporter.transferred(blob.size_bytes)  # another process brought it meanwhile
                return True
            return self._continue(blob, url)

    def _continue(self, blob: _Download, url: str) -> bool:
        """As ``_transfer_once``, for who holds the download."""
        partial = self.store.partial(blob.key)
        counted = 0
        try:
            if partial.size_bytes >= blob.size_bytes:
                partial.restart()
            continued = partial.size_bytes
            headers = {"Range": f"bytes={continued}-"} if continued else {}
            with self.http.get(url, headers=headers) as answer:
                if continued and answer.status != _PARTIAL_CONTENT:
                    partial.restart()
                    continued = 0
                _check_announced(answer, blob, url)
                counted = partial.size_bytes
                self.reporter.transferred(counted)
                for chunk in answer.body:
                    partial.append(chunk)
                    counted += len(chunk)
                    self.reporter.transferred(len(chunk))
                    if partial.size_bytes > blob.size_bytes:
                        break
            partial.close()
            _check_complete(partial, blob, url)
            accepted = self._accept(partial, blob, url, continued=continued > 0)
            if not accepted:
                self.reporter.transferred(-counted)
        except FetchError as error:
            self.reporter.transferred(-counted)
            if error.status == _RANGE_NOT_SATISFIABLE:
                partial.restart()  # what is here is as long as the file there: it is another one
                raise _wrong_size(url, "no more than what came before", blob) from error
            raise
        finally:
            partial.close()
        return accepted

    def _accept(self, partial: PartialFile, blob: _Download, url: str, *, continued: bool) -> bool:
        try:
            self._take_over(partial, blob, url)
        except (IntegrityError, ArchiveError) as error:
            if not continued:
                raise
            # The two halves may stem from different answers; the whole must be right.
            self.reporter.warning(f"{error}; fetching all of it again")
            return False
        return True

    def _take_over(self, partial: PartialFile, blob: _Download, url: str) -> None:
        found = partial.descriptor()
        try:
            check_descriptor(found, blob.expecting(found), url=url)
        except IntegrityError:
            partial.remove()
            raise
        # From here on another process may have begun a file of that name, which is not ours.
        self.store.blobs.adopt(partial.path, found)
        if blob.admit is not None:
            blob.admit(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Download:
    """One file to be had; ``digest`` is ``None`` where only ``admit`` can tell what is right."""

    key: Digest
    size_bytes: int
    urls: tuple[str, ...]
    digest: Digest | None
    admit: Callable[[Descriptor], None] | None = None

    @classmethod
    def of(cls, blob: RemoteBlob) -> _Download:
        digest = blob.descriptor.digest
        return cls(key=digest, size_bytes=blob.descriptor.size_bytes, urls=blob.urls, digest=digest)

    @classmethod
    def unnamed(cls, blob: UnnamedBlob) -> _Download:
        return cls(
            key=blob.key,
            size_bytes=blob.size_bytes,
            urls=(blob.url,),
            digest=None,
            admit=blob.admit,
        )

    @property
    def name(self) -> str:
        return self.urls[0].rpartition("/")[2] if self.urls else str(self.key)

    def expecting(self, found: Descriptor) -> Descriptor:
        """What ``found`` has to be."""
        return Descriptor(digest=self.digest or found.digest, size_bytes=self.size_bytes)


def _check_announced(answer: Answer, blob: _Download, url: str) -> None:
    """Do not begin to fetch what is said to be something else."""
    if answer.status == _PARTIAL_CONTENT:
        total = answer.headers.get("content-range", "").rpartition("/")[2]
    else:
        total = answer.headers.get("content-length", "")
    if total.isdigit() and int(total) != blob.size_bytes:
        raise _wrong_size(url, f"{total} bytes", blob)


def _wrong_size(url: str, actual: str, blob: _Download) -> IntegrityError:
    return IntegrityError(
        f"{url} has {actual} instead of {blob.size_bytes} bytes",
        url=url,
        expected=f"{blob.size_bytes} bytes",
        actual=actual,
        hint="the mirror is damaged or in the middle of an update: try another one, or later",
    )


def _check_complete(partial: PartialFile, blob: _Download, url: str) -> None:
    if partial.size_bytes < blob.size_bytes:
        raise FetchError(
            f"{url} ended after {partial.size_bytes} of {blob.size_bytes} bytes",
            url=url,
            retryable=True,
        )


def _worst(failures: list[FetchError]) -> FetchError:
    """The failure to tell: an integrity error rather than an address that did not answer."""
    for error in failures:
        if isinstance(error, IntegrityError):
            return error
    return failures[-1]
