"""Many clients at the line to one guest agent.

A port of the guest has one reader, the process that owns the machine.  It relays: a client
speaks the agent's own protocol (CONTRACTS §3) over a stream of its own, and only ids are
exchanged for others on the way.  So the client's side is ``vm.agent`` as ever, windows and
credit hold from end to end, and what is kept here is bounded by them.

Requests whose names begin with ``machine_`` are for the owner of the machine and not for the guest.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from functools import partial

from bootsmith.errors import AgentError, BootsmithError
from bootsmith.host.channel import Channel
from bootsmith.vm.cbor import Value
from bootsmith.vm.execution import abandon
from bootsmith.vm.frame import FrameDecoder, Message
from bootsmith.vm.kept.outbox import Outbox
from bootsmith.vm.line import Exchange, Line

_RECEIVE_BYTES = 1 << 18
# What the guest sends without a window (the content of files) holds up its whole line until it is
# taken.  A client that takes nothing for so long is let go, for the others' sake.
STALL_TIMEOUT_S = 5.0
_FAREWELL_S = 2.0

_LAST_OF = {
    "exec_request": "exec_response",
    "file_read_request": "file_read_done",
    "file_write_request": "file_write_done",
    "file_delete_request": "file_delete_done",
    "sync_request": "sync_done",
}
_NEVER_LATE = ("exec_window", "pty_resize")

Service = Callable[["Conversation"], None]


class Relay:
    """Serves clients at ``line``; ``services`` answer the requests that are not the guest's."""

    def __init__(self, line: Line, services: Mapping[str, Service]) -> None:
        self.line = line
        self.services = services
        self._clients: set[_Client] = set()
        self._lock = threading.Lock()
        self._is_closed = False

    def serve(self, channel: Channel) -> None:
        """Take a client, greet it and serve it until it hangs up or breaks the protocol."""
        client = _Client(self, channel, on_end=self._forget)
        with self._lock:
            if self._is_closed:
                channel.close()
                return
            self._clients.add(client)
        client.start()

    def close(self) -> None:
        """Send every client what is under way to it, and hang up."""
        with self._lock:
            self._is_closed = True
            clients = list(self._clients)
        farewells = [threading.Thread(target=client.finish, daemon=True) for client in clients]
        for farewell in farewells:
            farewell.start()
        for farewell in farewells:
            farewell.join()

    def _forget(self, client: _Client) -> None:
        with self._lock:
            self._clients.discard(client)


class Conversation:
    """A client's request to the owner of the machine, and the way to answer it."""

    def __init__(self, request: Message, outbox: Outbox) -> None:
        self.request = request
        self._outbox = outbox
        self._actions: list[Callable[[], None]] = []
        self._is_over = False
        self._lock = threading.Lock()

    @property
    def is_over(self) -> bool:
        """Whether the client is gone."""
        return self._is_over

    def when_over(self, action: Callable[[], None]) -> None:
        """Have ``action`` called when the client goes, or now if it has gone."""
        with self._lock:
            self._actions.append(action)
            is_over = self._is_over
        if is_over:
            action()

    def send(self, kind: str, payload: Mapping[str, Value]) -> None:
        """Answer, waiting for as long as the client takes what it was sent before."""
        size_bytes = sum(len(value) for value in payload.values() if isinstance(value, bytes))
        self._outbox.put_when_room(Message(kind, self.request.id, payload, size_bytes))

    def conclude(self, kind: str, payload: Mapping[str, Value]) -> None:
        """Answer for the last time, without waiting for the client to take it."""
        self._outbox.put(Message(kind, self.request.id, payload))

    def end(self) -> None:
        """The client has gone."""
        with self._lock:
            self._is_over = True
            actions = list(self._actions)
        for action in actions:
            action()


class _Client:
    """One client: a thread that reads it, and its outbox."""

    def __init__(
        self, relay: Relay, channel: Channel, *, on_end: Callable[[_Client], None]
    ) -> None:
        self._relay = relay
        self._channel = channel
        self._on_end = on_end
        self._outbox = Outbox(channel)
        self._legs: dict[int, _Leg] = {}
        self._conversations: list[Conversation] = []
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, name="bootsmith-client", daemon=True)

    def start(self) -> None:
        failure = self._relay.line.share_failure
        kind, payload = (
            ("vfs_ready", {}) if failure is None else ("vfs_error", {"message": failure})
        )
        self._outbox.put(Message(kind, 0, payload))
        self._reader.start()

    def finish(self) -> None:
        """Send what waits, and hang up."""
        self._outbox.finish(timeout_s=_FAREWELL_S)
        self._reader.join()

    def pass_on(self, leg: _Leg, message: Message) -> None:
        """Give the client what the guest has answered."""
        answer = Message(message.kind, leg.client_id, message.payload, message.size_bytes)
        if message.kind != "file_read_data":
            self._outbox.put(answer)
        elif not self._outbox.put_when_room(answer, timeout_s=STALL_TIMEOUT_S):
            self._outbox.close()

    def refuse(self, number: int, code: str, message: str) -> None:
        """Tell the client that a request came to nothing."""
        self._outbox.put(Message("error", number, {"code": code, "message": message}))

    def drop(self, leg: _Leg) -> None:
        """Nothing more will come for ``leg``."""
        with self._lock:
            self._legs.pop(leg.client_id, None)

    def _read(self) -> None:
        decoder = FrameDecoder()
        # A client that breaks the protocol gets what the guest gives to such a host: an end.
        with contextlib.suppress(AgentError):
            while data := self._channel.receive(_RECEIVE_BYTES):
                for message in decoder.feed(data):
                    self._take(message)
        self._leave()

    def _leave(self) -> None:
        self._outbox.finish(timeout_s=0)
        with self._lock:
            legs, conversations = list(self._legs.values()), list(self._conversations)
        for leg in legs:
            leg.abandon()
        for conversation in conversations:
            conversation.end()
        self._channel.close()
        self._on_end(self)

    def _take(self, message: Message) -> None:
        if message.kind in self._relay.services:
            self._serve(self._relay.services[message.kind], Conversation(message, self._outbox))
        elif message.kind in _LAST_OF:
            self._open(message)
        else:
            with self._lock:
                leg = self._legs.get(message.id)
            if leg is not None:
                leg.forward(message)
            elif message.kind not in _NEVER_LATE:
                self.refuse(message.id, "unknown_id", "nothing under way has this id")

    def _serve(self, service: Service, conversation: Conversation) -> None:
        with self._lock:
            self._conversations.append(conversation)

        def run() -> None:
            try:
                service(conversation)
            except BootsmithError as error:
                self.refuse(conversation.request.id, "machine_failed", str(error))

        threading.Thread(target=run, name="bootsmith-service", daemon=True).start()

    def _open(self, request: Message) -> None:
        with self._lock:
            older = self._legs.get(request.id)
        if request.id == 0 or (older is not None and not older.may_be_over):
            self.refuse(request.id, "invalid_request", "this id is in use")
            return
        if older is not None:
            older.abandon()
        try:
            leg = self._relay.line.open_as(partial(_Leg, client=self, request=request))
        except AgentError as error:
            self.refuse(request.id, error.code, str(error))
            return
        with self._lock:
            self._legs[request.id] = leg
        leg.forward(request)


class _Leg(Exchange):
    """The part of a client's exchange between here and the guest."""

    def __init__(self, line: Line, number: int, *, client: _Client, request: Message) -> None:
        super().__init__(line, number)
        self.client_id = request.id
        self._client = client
        self._kind = request.kind
        # After an error about a command only the client can know whether it ever began.
        self.may_be_over = False

    def forward(self, message: Message) -> None:
        """Give the guest what the client says."""
        try:
            self.send(message.kind, message.payload)
        except AgentError as error:
            self.fail(error)

    def deliver(self, message: Message) -> None:
        self._client.pass_on(self, message)
        if self._is_last(message):
            self._end()

    def fail(self, failure: BaseException) -> None:
        code = failure.code if isinstance(failure, AgentError) else "disconnected"
        self._client.refuse(self.client_id, code, str(failure))
        self._end()

    def abandon(self) -> None:
        """The client has gone: what runs for it is ended."""
        with contextlib.suppress(AgentError):  # the line has ended, and all with it
            if self._kind == "exec_request":
                abandon(self)
            elif self._kind == "file_write_request":
                self.send("file_write_data", {"data": b"", "eof": True})
        self._end()

    def _is_last(self, message: Message) -> bool:
        if message.kind == "error" and self._kind == "exec_request":
            self.may_be_over = True
            return message.payload.get("code") in ("exec_failed", "unknown_id")
        return message.kind in (_LAST_OF[self._kind], "error")

    def _end(self) -> None:
        self._client.drop(self)
        self.close()
