"""What waits to be sent to one of many clients, so that a slow one holds up nobody else."""

from __future__ import annotations

import threading

from bootsmith.errors import AgentError, HostError
from bootsmith.host.channel import Channel
from bootsmith.vm.flow import Backlog
from bootsmith.vm.frame import Message, encode_frame

LIMIT_BYTES = 8 << 20
# What 64 commands may have under way, and more than any client lets lie that is not stopped or
# gone; only a guest that does not keep to its windows can send so much.
FLOOD_BYTES = 256 << 20


class Outbox:
    """Sends messages over ``channel`` in their order, from a thread of its own.

    A client that is gone takes nothing more; what is put for it then is dropped.
    """

    def __init__(self, channel: Channel, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._channel = channel
        self._limit_bytes = limit_bytes
        self._waiting = Backlog()
        self._is_closed = False
        self._is_last = False
        self._changed = threading.Condition()
        self._sender = threading.Thread(target=self._send, name="bootsmith-outbox", daemon=True)
        self._sender.start()

    def put(self, message: Message) -> None:
        """Add a message whose sender the client itself has limited, at once.

        A client for whom far more waits than it can have allowed is let go.
        """
        with self._changed:
            self._add(message)
            is_flooded = self._waiting.cost_bytes > FLOOD_BYTES
        if is_flooded:
            self.close()

    def put_when_room(self, message: Message, *, timeout_s: float | None = None) -> bool:
        """Add a message, waiting while there is too much; false when it took too long."""
        with self._changed:
            has_room = self._changed.wait_for(
                lambda: self._waiting.cost_bytes < self._limit_bytes or self._is_closed, timeout_s
            )
            if has_room:
                self._add(message)
            return has_room

    def close(self) -> None:
        """Drop what waits and hang up.  A second call does nothing."""
        with self._changed:
            self._is_closed = True
            self._waiting.clear()
            self._changed.notify_all()
        self._channel.hang_up()

    def finish(self, *, timeout_s: float) -> None:
        """Send what waits, for so long at most, and hang up."""
        with self._changed:
            self._is_last = True
            self._changed.notify_all()
        self._sender.join(timeout_s)
        self.close()
        self._sender.join()

    def _add(self, message: Message) -> None:
        if not self._is_closed and not self._is_last:
            self._waiting.add(message)
            self._changed.notify_all()

    def _send(self) -> None:
        while (message := self._next()) is not None:
            try:
                self._channel.send(encode_frame(message))
            except (HostError, AgentError):
                self.close()

    def _next(self) -> Message | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed or self._is_last)
            if not self._waiting:
                return None
            message = self._waiting.take()
            self._changed.notify_all()
            return message
