"""Places where other programs of this machine can connect."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootsmith.errors import HostError
from bootsmith.host.channel import Channel
from bootsmith.host.files import host_error

_BACKLOG = 64
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE_S = 0.05
_ADDRESS_MAX_BYTES = 103  # sun_path, with its closing zero: 104 on macOS, 108 on Linux


class Listener:
    """Takes connections to a bound socket, which is its own to close."""

    def __init__(self, bound: socket.socket) -> None:
        self._socket = bound
        bound.listen(_BACKLOG)
        # A client may be gone again before it is taken; accepting must not wait for the next.
        bound.settimeout(0)
        self._wake_reader, self._wake_writer = socket.socketpair()

    def accept(self) -> Channel | None:
        """The next connection; ``None`` after ``stop``."""
        ready = select.poll()  # select() knows no descriptor above 1023
        for one in (self._socket, self._wake_reader):
            ready.register(one, select.POLLIN)
        while True:
            if self._wake_reader.fileno() in (number for number, _ in ready.poll()):
                return None
            if (connection := self._take()) is not None:
                return connection

    def _take(self) -> Channel | None:
        """The connection that waits, if it still does."""
        try:
            connection, _ = self._socket.accept()
        except (BlockingIOError, ConnectionError):
            return None
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            time.sleep(_PAUSE_S)  # it waits on, and others will have closed something
            return None
        connection.settimeout(None)
        self._prepare(connection)
        return Channel(connection)

    def stop(self) -> None:
        """Take no more connections, and wake the thread that waits for one."""
        with contextlib.suppress(OSError):
            self._wake_writer.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Free the place; only when no thread is in ``accept`` any more."""
        for one in (self._socket, self._wake_reader, self._wake_writer):
            one.close()

    def _prepare(self, connection: socket.socket) -> None:
        """For kinds of connections that want to be set up."""


class LoopbackListener(Listener):
    """Takes connections to ``127.0.0.1``; ``port`` 0 lets the system choose a free one.

    Raises ``HostError`` when the port is taken or may not be used.
    """

    def __init__(self, port: int = 0) -> None:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(("127.0.0.1", port))
            super().__init__(bound)
        except (OSError, OverflowError) as error:
            bound.close()
            reason = getattr(error, "strerror", None) or error
            raise HostError(
                f"the port {port} of this machine cannot be used: {reason}",
                hint="choose another port, or 0 for any free one",
            ) from error
        self.port: int = bound.getsockname()[1]

    def _prepare(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class PathListener(Listener):
    """Takes connections at ``path``, which must be free; who may enter its folder may connect.

    Raises ``HostError`` when that cannot be.
    """

    def __init__(self, path: Path) -> None:
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _address(path) as address:
                bound.bind(address)
            super().__init__(bound)
        except OSError as error:
            bound.close()
            raise host_error(error, "listen at", path) from error

    def _prepare(self, connection: socket.socket) -> None:
        Channel.widen(connection)


def connect(path: Path) -> Channel:
    """A channel to whoever listens at ``path``.  Raises ``HostError`` when nobody does."""
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(path) as address:
            stream.connect(address)
        Channel.widen(stream)
    except OSError as error:
        stream.close()
        raise host_error(error, "connect to", path) from error
    return Channel(stream)


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """``path`` in a form that fits into a socket's address.

    Raises ``HostError`` for one that is too long where the system has no shorter form.
    """
    whole = os.fspath(path)
    if len(os.fsencode(whole)) <= _ADDRESS_MAX_BYTES:
        yield whole
        return
    if not sys.platform.startswith("linux"):
        raise HostError(
            f"{path} is too long for the address of a socket",
            hint="set BOOTSMITH_CACHE_DIR to a shorter path",
        )
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
