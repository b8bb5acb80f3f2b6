"""A TCP port of this machine's loopback."""

from __future__ import annotations

import contextlib
import select
import socket

from bootsmith.errors import HostError
from bootsmith.host.channel import Channel

_BACKLOG = 64


class LoopbackListener:
    """Takes connections to ``127.0.0.1``; ``port`` 0 lets the system choose a free one.

    Raises ``HostError`` when the port is taken or may not be used.
    """

    def __init__(self, port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind(("127.0.0.1", port))
            self._socket.listen(_BACKLOG)
        except (OSError, OverflowError) as error:
            self._socket.close()
            reason = getattr(error, "strerror", None) or error
            raise HostError(
                f"the port {port} of this machine cannot be used: {reason}",
                hint="choose another port, or 0 for any free one",
            ) from error
        # A client may be gone again before it is taken; accepting must not wait for the next.
        self._socket.settimeout(0)
        self._wake_reader, self._wake_writer = socket.socketpair()
        self.port: int = self._socket.getsockname()[1]

    def accept(self) -> Channel | None:
        """The next connection; ``None`` after ``stop``."""
        while True:
            readable, _, _ = select.select((self._socket, self._wake_reader), (), ())
            if self._wake_reader in readable:
                return None
            with contextlib.suppress(BlockingIOError, ConnectionError):
                connection, _ = self._socket.accept()
                connection.settimeout(None)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return Channel(connection)

    def stop(self) -> None:
        """Take no more connections, and wake the thread that waits for one."""
        with contextlib.suppress(OSError):
            self._wake_writer.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Free the port; only when no thread is in ``accept`` any more."""
        for one in (self._socket, self._wake_reader, self._wake_writer):
            one.close()
