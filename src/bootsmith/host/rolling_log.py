"""A log of bounded size that can be followed while it is written.

Two files take turns: when the newer one is full it takes the place of the older one.  Positions
count all bytes that were ever written, so that a reader notices what it has missed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from bootsmith.host.files import host_error

SEGMENT_BYTES = 8 << 20
_CHUNK_BYTES = 64 << 10


class RollingLog:
    """The log at ``path``, begun anew; one thread writes, any number follow.

    What cannot be written (a full disk) is lost, and the writer goes on.
    Raises ``HostError`` when the file cannot be made.
    """

    def __init__(self, path: Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._path = path
        self._older = _older(path)
        self._segment_bytes = segment_bytes
        self._begin = 0  # the position of the newer file's first byte
        self._older_begin = 0
        self._end = 0
        self._is_closed = False
        self._changed = threading.Condition()  # of a lock that its holder may take again
        try:
            self._newer = path.open("wb+", buffering=0)
        except OSError as error:
            raise host_error(error, "write", path) from error

    def append(self, data: bytes) -> None:
        with self._changed:
            if self._is_closed:
                return
            try:
                if self._end - self._begin >= self._segment_bytes:
                    self._roll()
                self._end += self._newer.write(data) or 0
            except OSError:
                return  # a full disk must not stop the machine
            self._changed.notify_all()

    def follow(self, position: int, *, is_wanted: Callable[[], bool]) -> tuple[int, bytes]:
        """Wait for bytes from ``position`` on; where they begin, and some of them.

        There are none when the log was closed and read to its end, or is not wanted any more.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: position < self._end or self._is_closed or not is_wanted()
            )
            return self.read(position)

    def read(self, position: int) -> tuple[int, bytes]:
        """Bytes from ``position`` on, or from the oldest that are kept; none at the end."""
        with self._changed:
            position = max(position, self._older_begin)
            if position >= self._end:
                return position, b""
            try:
                if position >= self._begin:
                    return position, _read(self._path, position - self._begin)
                return position, _read(self._older, position - self._older_begin)
            except OSError as error:
                raise host_error(error, "read", self._path) from error

    def wake(self) -> None:
        """Have every follower look whether it is still wanted."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing more will be written; followers read on to the end."""
        with self._changed:
            self._is_closed = True
            self._newer.close()
            self._changed.notify_all()

    def _roll(self) -> None:
        self._newer.close()
        self._path.replace(self._older)
        self._newer = self._path.open("wb+", buffering=0)
        self._older_begin, self._begin = self._begin, self._end


def log_content(path: Path) -> Iterator[bytes]:
    """All that is kept of a log that nobody writes any more.  Raises ``HostError``."""
    for part in (_older(path), path):
        try:
            if part.exists():
                with part.open("rb") as stream:
                    while data := stream.read(_CHUNK_BYTES):
                        yield data
        except OSError as error:
            raise host_error(error, "read", part) from error


def _older(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")


def _read(path: Path, offset: int) -> bytes:
    with path.open("rb") as stream:
        stream.seek(offset)
        return stream.read(_CHUNK_BYTES)
