"""The digest of a stream, computed while whoever reads the stream goes on."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from bootsmith.model.digest import Digest

_WORTH_BYTES: Final = 256 << 10  # handing over less takes longer than hashing it
_MOST_WAITING: Final = 4  # pieces that are kept in memory for it


class HashBeside:
    """SHA-256 of what it is given; large pieces are hashed by a thread of its own.

    Hashing lets go of the interpreter's lock.  For use from one thread, and to be closed.
    """

    def __init__(self) -> None:
        self._hasher = hashlib.sha256()
        self._worker: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[None]] = deque()

    def update(self, data: bytes) -> None:
        """Append ``data``, which must not change any more."""
        if len(data) < _WORTH_BYTES:
            self._leave_waiting(0)
            self._hasher.update(data)
            return
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix="digest")
        self._leave_waiting(_MOST_WAITING - 1)
        self._waiting.append(self._worker.submit(self._hasher.update, data))

    def digest(self) -> Digest:
        """The digest of all that was given until now."""
        self._leave_waiting(0)
        return Digest.sha256(self._hasher.hexdigest())

    def close(self) -> None:
        """End the thread, once all pieces are hashed; what the digest is can still be asked."""
        if self._worker is not None:
            self._worker.shutdown()
            self._worker = None

    def _leave_waiting(self, count: int) -> None:
        while len(self._waiting) > count:
            self._waiting.popleft().result()
