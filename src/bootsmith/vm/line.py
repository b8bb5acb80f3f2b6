"""The line to the guest agent: many exchanges over one stream.

One thread reads; it never runs a user's code and never waits for anything but the stream, so no
exchange can hold up another.  How much a guest may send before it is answered is bounded by the
windows of the exchanges, not here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

from bootsmith.errors import AgentError, HostError, VMError
from bootsmith.host.channel import Channel
from bootsmith.host.clock import Deadline
from bootsmith.vm.cbor import Value
from bootsmith.vm.flow import Credit, Inbox
from bootsmith.vm.frame import FrameDecoder, Message, encode_frame

_RECEIVE_BYTES = 1 << 18
_ID_MAX = 0xFFFFFFFF
_GREETING_ID = 0

_E = TypeVar("_E", bound="Exchange")


class Line:
    """A multiplexed connection to one agent.  Every method may be called from any thread.

    ``on_change`` is called, by the reading thread, when the agent greets and when the line ends.
    ``share_failure`` is why the guest could not mount what the host shares (``vfs_error``);
    commands run all the same.
    """

    def __init__(self, channel: Channel, *, on_change: Callable[[], None] = lambda: None) -> None:
        self._channel = channel
        self._on_change = on_change
        self._lock = threading.Lock()
        self._exchanges: dict[int, Exchange] = {}
        self._next_id = 1
        self._failure: AgentError | None = None
        self.share_failure: str | None = None
        self._greeted = threading.Event()
        self._reader = threading.Thread(target=self._read, name="bootsmith-agent", daemon=True)
        self._reader.start()

    @property
    def is_ready(self) -> bool:
        """Whether the agent has said that it takes requests."""
        return self._greeted.is_set() and self._failure is None

    @property
    def failure(self) -> AgentError | None:
        """Why the line is of no use any more."""
        return self._failure

    def wait_ready(self, timeout_s: float | None) -> bool:
        """Wait for the agent's greeting.  Raises ``AgentError`` when the line ends instead."""
        self._greeted.wait(timeout_s)
        if self._failure is not None:
            raise self._failure
        return self._greeted.is_set()

    def open(self) -> Exchange:
        """Begin an exchange with an id of its own.  Raises ``AgentError`` on a dead line."""
        return self.open_as(Exchange)

    def open_as(self, make: Callable[[Line, int], _E]) -> _E:
        """Begin an exchange that does with messages what its class says."""
        with self._lock:
            if self._failure is not None:
                raise AgentError(str(self._failure), code=self._failure.code)
            while self._next_id in self._exchanges or self._next_id == _GREETING_ID:
                self._next_id = (self._next_id + 1) & _ID_MAX
            exchange = make(self, self._next_id)
            self._exchanges[self._next_id] = exchange
            self._next_id = (self._next_id + 1) & _ID_MAX
        return exchange

    def send(self, message: Message) -> None:
        """Send one frame.  Raises ``AgentError`` when the agent is gone."""
        frame = encode_frame(message)
        try:
            self._channel.send(frame)
        except HostError as error:
            raise self._failure or _gone() from error

    def retire(self, exchange: Exchange) -> None:
        """End ``exchange``; what the guest still sends for it is dropped."""
        with self._lock:
            self._exchanges.pop(exchange.id, None)

    def close(self) -> None:
        """End the line and every exchange on it."""
        self._channel.hang_up()
        if threading.current_thread() is not self._reader:
            self._reader.join()
        self._channel.close()

    def _read(self) -> None:
        decoder = FrameDecoder()
        try:
            while data := self._channel.receive(_RECEIVE_BYTES):
                for message in decoder.feed(data):
                    self._deliver(message)
            decoder.finish()
            self._end(_gone())
        except AgentError as error:
            self._channel.hang_up()
            self._end(error)

    def _deliver(self, message: Message) -> None:
        if message.id == _GREETING_ID:
            self._greet(message)
            return
        with self._lock:
            exchange = self._exchanges.get(message.id)
        # An exchange that was given up may still have answers under way.
        if exchange is not None:
            exchange.deliver(message)

    def _greet(self, message: Message) -> None:
        match message.kind:
            case "vfs_ready" | "vfs_error" as kind:
                self.share_failure = message.text("message") if kind == "vfs_error" else None
                if self._greeted.is_set():
                    self._fail_all(_restarted())
                self._greeted.set()
                self._on_change()
            case "error":
                raise AgentError(
                    f"the guest agent refused a frame: {message.text('message')}",
                    code=message.text("code"),
                )
            case kind:
                raise AgentError(f"the guest sent {kind!r} without an id")

    def _end(self, failure: AgentError) -> None:
        with self._lock:
            self._failure = failure
        self._fail_all(failure)
        self._greeted.set()
        self._on_change()

    def _fail_all(self, failure: AgentError) -> None:
        with self._lock:
            exchanges = list(self._exchanges.values())
        for exchange in exchanges:
            exchange.fail(failure)


class Exchange:
    """One request and all that follows from it, under one id."""

    def __init__(self, line: Line, number: int) -> None:
        self.id = number
        self._line = line
        self._inbox = Inbox()
        self.stdin_credit = Credit()

    def send(self, kind: str, payload: Mapping[str, Value]) -> None:
        """Send a message under this id.  Raises ``AgentError`` when the agent is gone."""
        self._line.send(Message(kind, self.id, payload))

    def receive(
        self, deadline: Deadline, *, late: str = "the guest did not answer in time"
    ) -> Message:
        """The next message of the guest.

        Raises ``AgentError`` when the guest answers with an error or is gone, ``VMError`` that
        says ``late`` when nothing comes before the deadline.
        """
        message = self._inbox.get(deadline)
        if message is None:
            raise VMError(late, hint="raise the timeout")
        if message.kind == "error":
            raise AgentError(message.text("message"), code=message.text("code"))
        return message

    def deliver(self, message: Message) -> None:
        """Take a message from the reading thread."""
        if message.kind == "stdin_window":
            self.stdin_credit.add(message.number("stdin"))
        else:
            self._inbox.put(message)

    def fail(self, failure: BaseException) -> None:
        """Nothing more will come, and why: ``receive`` raises it."""
        self._inbox.fail(failure)
        self.stdin_credit.withdraw()

    def close(self) -> None:
        """Nothing more is wanted."""
        self._line.retire(self)
        self._inbox.close()
        self.stdin_credit.withdraw()


def _gone() -> AgentError:
    return AgentError(
        "the connection to the guest agent has ended",
        code="disconnected",
        hint="the machine may have stopped; look at its console",
    )


def _restarted() -> AgentError:
    # Its supervisor started it anew: it knows nothing of what was under way.
    return AgentError(
        "the guest agent has ended and was started again",
        code="restarted",
        hint="it may have run out of memory; look at the console, or give the machine more",
    )
