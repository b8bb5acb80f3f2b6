"""A file whose digest is computed while it is written."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections import deque
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from bootsmith.host.files import FileSink, FileSource, host_error
from bootsmith.model.digest import Digest

_BUFFER_BYTES: Final = 1 << 20
_ZEROS: Final = bytes(_BUFFER_BYTES)
_BEHIND_BYTES: Final = 8 << 20  # what must have been written for the reader to wake up
_PAUSE_S: Final = 0.005


class HashingSink(FileSink):
    """A ``FileSink`` that a thread of its own reads after it.

    Hashing lets go of the interpreter's lock, so it costs a second processor and hardly any
    time.  Holes are not read: they are known to be zeros.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._holes: deque[tuple[int, int]] = deque()
        self._finished = threading.Event()
        self._digest: Future[Digest] = Future()
        threading.Thread(
            target=self._follow, args=(FileSource(path),), name="digest", daemon=True
        ).start()

    def skip(self, size_bytes: int) -> None:
        # Told before the position moves on, so that the reader never takes a hole for data.
        self._holes.append((self.position, self.position + size_bytes))
        super().skip(size_bytes)

    def close(self, *, durable: bool = False) -> None:
        try:
            super().close(durable=durable)
        finally:
            self._finished.set()

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is not None:
            self._digest.cancel()
        try:
            super().__exit__(kind, *rest)
        finally:
            self._finished.set()

    def digest(self) -> Digest:
        """The SHA-256 digest of the whole file, once it is closed.  Raises ``HostError``."""
        assert self._finished.is_set(), "the file is still being written"
        return self._digest.result()

    def _follow(self, source: FileSource) -> None:
        with source:
            try:
                found = self._hash(source.fileno())
            except OSError as error:
                self._digest.set_exception(host_error(error, "read", self.path))
            else:
                if self._digest.set_running_or_notify_cancel():
                    self._digest.set_result(found)

    def _hash(self, fd: int) -> Digest:
        hasher = hashlib.sha256()
        buffer = memoryview(bytearray(_BUFFER_BYTES))
        position = 0
        finished = False
        while not (finished or self._digest.cancelled()):
            finished = self._finished.wait(_PAUSE_S)
            end = self._position
            if end - position < _BEHIND_BYTES and not finished:
                continue
            while position < end and not self._digest.cancelled():
                position += self._hash_some(hasher, fd, buffer, position, end)
        return Digest.sha256(hasher.hexdigest())

    def _hash_some(
        self, hasher: hashlib._Hash, fd: int, buffer: memoryview, position: int, end: int
    ) -> int:
        """Hash at most one buffer from ``position`` up to ``end``; how many bytes it was."""
        while self._holes and self._holes[0][1] <= position:
            self._holes.popleft()
        start, stop = self._holes[0] if self._holes else (end, end)
        if start <= position:
            size = min(_BUFFER_BYTES, stop - position, end - position)
            hasher.update(_ZEROS[:size])
            return size
        size = os.preadv(fd, [buffer[: min(end, start) - position]], position)
        if size == 0:
            raise OSError(errno.EIO, "it became shorter while it was written")
        hasher.update(buffer[:size])
        return size
