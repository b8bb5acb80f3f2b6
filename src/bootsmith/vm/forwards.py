"""Ports of this machine that lead into a guest (CONTRACTS §3, ``virtio-ingress``).

Every connection is a stream of its own on the guest's forwarder.  No network is needed, and
nothing but this machine's loopback can reach the port.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Self

from bootsmith.errors import AgentError, HostError, VMError
from bootsmith.host.channel import Channel
from bootsmith.host.clock import Deadline
from bootsmith.host.listener import LoopbackListener
from bootsmith.vm.line import Exchange, Line

_CHUNK_BYTES = 64 << 10
_OPEN_TIMEOUT_S = 30.0
_FAREWELL_S = 2.0
_FOREVER = Deadline.after(None)


class Forward:
    """``127.0.0.1:host_port`` leads to ``guest_port`` of the guest's loopback until ``close``."""

    def __init__(self, line: Line, *, guest_port: int, host_port: int = 0) -> None:
        self._line = line
        self._listener = LoopbackListener(host_port)
        self._streams: set[_Stream] = set()
        self._lock = threading.Lock()
        self._is_closed = False
        self.guest_port = guest_port
        self.host_port = self._listener.port
        self._taker = threading.Thread(target=self._take, name="bootsmith-forward", daemon=True)
        self._taker.start()

    def close(self) -> None:
        """Free the port and end its connections.  A second call does nothing."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            streams = list(self._streams)
        self._listener.stop()
        self._taker.join()
        self._listener.close()
        for stream in streams:
            stream.end()
        for stream in streams:
            stream.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Forward of 127.0.0.1:{self.host_port} to port {self.guest_port} of the guest>"

    def _take(self) -> None:
        while (client := self._listener.accept()) is not None:
            stream = _Stream(self._line, client, self.guest_port, on_end=self._forget)
            with self._lock:
                if self._is_closed:
                    client.close()
                    return
                self._streams.add(stream)
            stream.start()

    def _forget(self, stream: _Stream) -> None:
        with self._lock:
            self._streams.discard(stream)


class _Stream:
    """One connection: a thread for each direction."""

    def __init__(
        self,
        line: Line,
        client: Channel,
        guest_port: int,
        *,
        on_end: Callable[[_Stream], None],
    ) -> None:
        self._line = line
        self._client = client
        self._guest_port = guest_port
        self._on_end = on_end
        self._exchange: Exchange | None = None
        self._server = threading.Thread(target=self._serve, name="bootsmith-stream", daemon=True)

    def start(self) -> None:
        self._server.start()

    def end(self) -> None:
        """End the connection at once; its threads follow, and ``join`` waits for them."""
        self._client.hang_up()
        if self._exchange is not None:
            self._exchange.fail(AgentError("the forward was closed", code="closed"))

    def join(self) -> None:
        # A guest that takes nothing more must not hold us up.
        self._server.join(_FAREWELL_S)

    def _serve(self) -> None:
        # The guest may have no such port, and either end may go at any moment: then the other
        # sees its connection end, as it would without us in between.
        with contextlib.suppress(VMError, HostError):
            self._exchange = self._line.open()
            try:
                self._connect(self._exchange)
                self._pass_both_ways(self._exchange)
            finally:
                self._exchange.close()
        self._client.hang_up()
        self._client.close()
        self._on_end(self)

    def _connect(self, exchange: Exchange) -> None:
        exchange.send("tcp_open", {"host": "127.0.0.1", "port": self._guest_port})
        opened = exchange.receive(Deadline.after(_OPEN_TIMEOUT_S))
        if opened.kind != "tcp_opened" or opened.payload.get("ok") is not True:
            raise AgentError(f"the guest did not open its port {self._guest_port}")

    def _pass_both_ways(self, exchange: Exchange) -> None:
        upward = threading.Thread(target=self._pass_up, args=(exchange,), daemon=True)
        upward.start()
        try:
            self._pass_down(exchange)
        except (VMError, HostError):
            # The guest has not closed it: it has to be told.
            exchange.send("tcp_close", {})
            raise
        finally:
            self._client.hang_up()
            upward.join()

    def _pass_down(self, exchange: Exchange) -> None:
        while (message := exchange.receive(_FOREVER)).kind == "tcp_data":
            self._client.send(message.data("data"))
        if message.kind != "tcp_close":
            raise AgentError(f"the guest sent {message.kind!r} on a connection")

    def _pass_up(self, exchange: Exchange) -> None:
        # When the line has ended, the other direction has been told.
        with contextlib.suppress(AgentError):
            while data := self._client.receive(_CHUNK_BYTES):
                exchange.send("tcp_data", {"data": data})
            exchange.send("tcp_eof", {})
