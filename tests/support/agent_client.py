"""A bare client of the guest agent's wire contract, for the tests of the agent itself.

It speaks frames over any stream socket and keeps no state of its own, so that a test can
send what a well-behaved host never would.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import cbor2

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message: its type, its id and its body."""

    kind: str
    id: int
    body: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a command did, gathered from its messages."""

    exit_code: int
    signal: int | None
    stdout: bytes
    stderr: bytes
    messages: list[Message] = field(default_factory=list)


class ConnectionLost(Exception):
    """The agent closed the connection."""


class AgentClient:
    """The host's end of one connection."""

    def __init__(self, connection: socket.socket, *, timeout_s: float = 20) -> None:
        self.connection = connection
        connection.settimeout(timeout_s)
        self._received = b""
        self._sending = threading.Lock()

    def close(self) -> None:
        self.connection.close()

    def send(self, kind: str, request_id: int, /, **body: Any) -> None:
        self.send_frame(cbor2.dumps({"v": 1, "t": kind, "id": request_id, "p": body}))

    def send_frame(self, frame: bytes) -> None:
        with self._sending:
            self.connection.sendall(struct.pack(">I", len(frame)) + frame)

    def receive(self) -> Message:
        """The next message.  Raises ``ConnectionLost``, or ``TimeoutError``."""
        (size,) = struct.unpack(">I", self._take(4))
        assert size <= 4 << 20
        envelope = cbor2.loads(self._take(size))
        assert envelope.keys() == {"v", "t", "id", "p"}
        assert envelope["v"] == 1
        return Message(kind=envelope["t"], id=envelope["id"], body=envelope["p"])

    def receive_until(self, wanted: Callable[[Message], bool]) -> Iterator[Message]:
        """Every message up to the first one that is ``wanted``, that one included."""
        while True:
            message = self.receive()
            yield message
            if wanted(message):
                return

    def expect(self, kind: str, request_id: int) -> Message:
        """The next message, which must be of this type and id."""
        message = self.receive()
        assert (message.kind, message.id) == (kind, request_id), message
        return message

    def run(self, cmd: str, *argv: str | bytes, request_id: int = 1, **fields: Any) -> Outcome:
        """Run a command to its end, granting new windows as output arrives."""
        self.send("exec_request", request_id, cmd=cmd, argv=list(argv), **fields)
        return self.finish(request_id)

    def finish(self, request_id: int) -> Outcome:
        """Gather what remains of the command ``request_id``; other ids must not appear."""
        output = {"stdout": bytearray(), "stderr": bytearray()}
        messages = []
        while True:
            message = self.receive()
            messages.append(message)
            assert message.id == request_id, message
            if message.kind == "exec_output":
                stream, data = message.body["stream"], message.body["data"]
                output[stream] += data
                self.send("exec_window", request_id, **{stream: len(data)})
            elif message.kind == "exec_response":
                break
            else:
                assert message.kind == "stdin_window", message
        return Outcome(
            exit_code=message.body["exit_code"],
            signal=message.body.get("signal"),
            stdout=bytes(output["stdout"]),
            stderr=bytes(output["stderr"]),
            messages=messages,
        )

    def _take(self, size: int) -> bytes:
        while len(self._received) < size:
            chunk = self.connection.recv(1 << 20)
            if not chunk:
                raise ConnectionLost
            self._received += chunk
        taken, self._received = self._received[:size], self._received[size:]
        return taken
