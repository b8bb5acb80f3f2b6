"""Keeping fast senders and slow readers apart: what bounds the memory of an exchange."""

from __future__ import annotations

import threading
from collections import deque

from bootsmith.errors import AgentError
from bootsmith.host.clock import Deadline
from bootsmith.vm.frame import Message

# Above the windows of a command, so that only messages without a window ever wait.
INBOX_BYTES = 32 << 20
STALL_TIMEOUT_S = 30.0


class Credit:
    """How many bytes the other side is ready to take."""

    def __init__(self) -> None:
        self._bytes = 0
        self._withdrawn = False
        self._changed = threading.Condition()

    def add(self, size_bytes: int) -> None:
        with self._changed:
            self._bytes += size_bytes
            self._changed.notify_all()

    def withdraw(self) -> None:
        """There will be no more."""
        with self._changed:
            self._withdrawn = True
            self._changed.notify_all()

    def take(self, most_bytes: int) -> int:
        """Wait for credit and take up to ``most_bytes`` of it; 0 when there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._bytes > 0 or self._withdrawn)
            taken = 0 if self._withdrawn else min(self._bytes, most_bytes)
            self._bytes -= taken
            return taken


class Backlog:
    """Messages that wait for somebody, in their order.

    ``cost_bytes`` is about what they take in memory, which is many times their size when they
    are tiny.  So output that comes byte by byte is joined when much of it waits.
    """

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self.cost_bytes = 0

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, message: Message) -> None:
        if len(self._messages) >= _MANY:
            joined = _joined(self._messages[-1], message)
            if joined is not None:
                self.cost_bytes -= _cost(self._messages.pop())
                message = joined
        self._messages.append(message)
        self.cost_bytes += _cost(message)

    def take(self) -> Message:
        message = self._messages.popleft()
        self.cost_bytes -= _cost(message)
        return message

    def clear(self) -> None:
        self._messages.clear()
        self.cost_bytes = 0


_MANY = 64
_JOINED_BYTES = 4096  # each joining copies what was joined before
_MESSAGE_COST_BYTES = 512  # of a message, its mapping and its values


def _cost(message: Message) -> int:
    return message.size_bytes + _MESSAGE_COST_BYTES


def _joined(first: Message, second: Message) -> Message | None:
    """Both as one, if they are output of the same stream."""
    if first.kind != second.kind or first.kind != "exec_output" or first.id != second.id:
        return None
    stream, one, other = (
        first.payload.get("stream"),
        *(message.payload.get("data") for message in (first, second)),
    )
    if stream != second.payload.get("stream") or not (
        isinstance(one, bytes) and isinstance(other, bytes) and len(one) < _JOINED_BYTES
    ):
        return None
    size_bytes = first.size_bytes + len(other)
    return Message(first.kind, first.id, {"stream": stream, "data": one + other}, size_bytes)


class Inbox:
    """What has arrived for one exchange and has not been read.

    The thread that fills it serves all exchanges.  When one is not read it waits, which slows
    the guest down; after ``stall_timeout_s`` it gives that exchange up, so that a reader who
    has forgotten it does not stop all others for ever.
    """

    def __init__(
        self, *, limit_bytes: int = INBOX_BYTES, stall_timeout_s: float = STALL_TIMEOUT_S
    ) -> None:
        self._limit_bytes = limit_bytes
        self._stall_timeout_s = stall_timeout_s
        self._waiting = Backlog()
        self._failure: BaseException | None = None
        self._is_closed = False
        self._changed = threading.Condition()

    def put(self, message: Message) -> None:
        """Add a message, waiting while there is too much already."""
        with self._changed:
            has_room = self._changed.wait_for(
                lambda: self._waiting.cost_bytes < self._limit_bytes or self._is_done(),
                self._stall_timeout_s,
            )
            if not has_room:
                self._failure = AgentError(
                    f"nobody has read what the guest sent for {self._stall_timeout_s:g} s",
                    code="stalled",
                )
            if not self._is_done():
                self._waiting.add(message)
            self._changed.notify_all()

    def get(self, deadline: Deadline) -> Message | None:
        """The next message; ``None`` when none has come before the deadline.

        Raises what ``fail`` was given, after all that came before it.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._waiting or self._failure is not None, deadline.remaining_s()
            )
            if self._waiting:
                message = self._waiting.take()
                self._changed.notify_all()
                return message
            if self._failure is not None:
                raise _own_copy(self._failure)
            return None

    def fail(self, failure: BaseException) -> None:
        """Nothing more will come, and why."""
        with self._changed:
            self._failure = self._failure or failure
            self._changed.notify_all()

    def close(self) -> None:
        """Nobody reads any more; what still comes is dropped."""
        with self._changed:
            self._is_closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def _is_done(self) -> bool:
        return self._is_closed or self._failure is not None


def _own_copy(failure: BaseException) -> BaseException:
    # The same failure of the line is raised in many threads: each gets an exception of its own.
    if isinstance(failure, AgentError):
        return AgentError(str(failure), code=failure.code, hint=failure.hint)
    return failure
