"""Byte streams to programs that bootsmith starts.

A channel is one end of a socket pair; the program inherits the other end as a file descriptor.
There is no name in any file system: nothing to collide with another machine's, nothing that
must fit into the 108 bytes of a socket address, nothing that is left over after a crash, and
nobody else can connect.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Sequence
from typing import Self

from bootsmith.errors import HostError

_BUFFER_BYTES = 1 << 20


class Channel:
    """One end of a two-way byte stream.  One thread may receive while others send."""

    def __init__(self, stream: socket.socket) -> None:
        self._socket = stream
        self._sending = threading.Lock()

    @classmethod
    def pair(cls) -> tuple[Self, Self]:
        """Two channels joined to each other."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        for end in (ours, theirs):
            cls.widen(end)
        return cls(ours), cls(theirs)

    @classmethod
    def adopt(cls, descriptor: int) -> Self:
        """The channel that whoever started this process has handed down."""
        stream = socket.socket(fileno=descriptor)
        stream.set_inheritable(False)
        return cls(stream)

    @staticmethod
    def widen(stream: socket.socket) -> None:
        """Give a stream room for a large frame."""
        # The default of 208 KiB makes every large frame of the agent a chain of wake-ups.
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)

    def fileno(self) -> int:
        """The descriptor, to be handed to a program or to ``select``."""
        return self._socket.fileno()

    def detach(self) -> socket.socket:
        """Give the socket away; the channel is closed for its holder."""
        return socket.socket(fileno=self._socket.detach())

    def send(self, *parts: bytes | bytearray | memoryview) -> None:
        """Send all ``parts`` one after the other, with nothing of another thread in between.

        Raises ``HostError`` when the other end is gone.
        """
        try:
            with self._sending:
                _send_all(self._socket, parts)
        except OSError as error:
            raise HostError(f"the other end of the channel is gone: {error.strerror}") from error

    def receive(self, size_bytes: int = 1 << 16) -> bytes:
        """What has arrived, at least one byte; empty when the other end is gone."""
        try:
            return self._socket.recv(size_bytes)
        except OSError:
            # A reset is an end like any other: whoever reads finds the stream cut.
            return b""

    def has_data(self) -> bool:
        """Whether something has arrived; it stays to be received."""
        try:
            return bool(self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError:
            return False

    def end_sending(self) -> None:
        """Tell the other end that nothing more will come; it may still send."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def hang_up(self) -> None:
        """End the stream in both directions and wake the thread that receives."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the descriptor, only when no thread receives any more.

        The stream itself lives on in a program that has inherited it.
        """
        self._socket.close()


def _send_all(stream: socket.socket, parts: Sequence[bytes | bytearray | memoryview]) -> None:
    waiting = [memoryview(part) for part in parts if len(part)]
    while waiting:
        sent = stream.sendmsg(waiting)
        while waiting and sent >= len(waiting[0]):
            sent -= len(waiting.pop(0))
        if sent:
            waiting[0] = waiting[0][sent:]
