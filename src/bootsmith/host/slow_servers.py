"""Servers that send something now and then, and never enough.

A time limit of the socket begins anew with every byte, so a byte every half minute would hold a
build for years.  Here what arrives is set against the time that was spent waiting for it, in the
headers of an answer as well as in its body.
"""

from __future__ import annotations

import http.client
import io
import socket
from functools import partial
from typing import TYPE_CHECKING

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from bootsmith.host.clock import monotonic_s
from bootsmith.host.pace import LeastPace, Pace

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


def refuse_slow_servers(manager: urllib3.PoolManager, least: LeastPace) -> None:
    """Have every connection of ``manager`` demand ``least``.

    What its requests and the bodies of its answers raise for it is what they raise for a server
    that is silent.
    """

    class Connection(HTTPConnection):
        response_class = staticmethod(partial(_PacedResponse, least))  # type: ignore[assignment]

    class SecureConnection(HTTPSConnection):
        response_class = staticmethod(partial(_PacedResponse, least))  # type: ignore[assignment]

    class Pool(urllib3.HTTPConnectionPool):
        ConnectionCls = Connection

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    manager.pool_classes_by_scheme = {"http": Pool, "https": SecurePool}


class _PacedResponse(http.client.HTTPResponse):
    def __init__(
        self,
        least: LeastPace,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        plain, raw = self.fp, sock.makefile("rb", buffering=0)
        self.fp = io.BufferedReader(_PacedReader(raw, Pace(least)))
        plain.close()


class _PacedReader(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, pace: Pace) -> None:
        self._raw = raw
        self._pace = pace

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        began_s = monotonic_s()
        size_bytes = self._raw.readinto(buffer)
        if size_bytes:
            self._pace.note(size_bytes, waited_s=monotonic_s() - began_s)
        return size_bytes

    def close(self) -> None:
        self._raw.close()
        super().close()
