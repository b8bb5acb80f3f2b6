"""A guest that says exactly what a test tells it to, over a real socket.

The real agent never breaks the protocol; this one does on request.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import cbor2

from bootsmith.host.channel import Channel
from bootsmith.vm.agent import Agent
from bootsmith.vm.frame import FrameDecoder, Message

Script = Callable[["ScriptedGuest"], None]


def envelope(kind: str, number: int, **payload: Any) -> bytes:
    """The CBOR of a message, made by another library than the one that reads it."""
    return cbor2.dumps({"v": 1, "t": kind, "id": number, "p": payload})


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


class ScriptedGuest:
    """The guest's end: read what the host sends, send anything at all."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._decoder = FrameDecoder()
        self._received: list[Message] = []

    def send(self, kind: str, number: int, **payload: Any) -> None:
        self.send_raw(framed(envelope(kind, number, **payload)))

    def send_raw(self, data: bytes) -> None:
        self._channel.send(data)

    def expect(self, kind: str) -> Message:
        """The next message of ``kind``; others before it are skipped."""
        while True:
            while self._received:
                message = self._received.pop(0)
                if message.kind == kind:
                    return message
            data = self._channel.receive()
            assert data, f"the host hung up before it sent {kind}"
            self._received += self._decoder.feed(data)

    def hang_up(self) -> None:
        self._channel.hang_up()


class ScriptedLine(NamedTuple):
    """The host's end, and the thread that plays the guest."""

    channel: Channel
    player: threading.Thread


@contextmanager
def scripted_guest(script: Script, *, greet: bool = True) -> Iterator[Agent]:
    """Our client at the line of a guest that follows ``script`` in a thread of its own."""
    with scripted_line(script, greet=greet) as line:
        agent = Agent(line.channel)
        try:
            yield agent
        finally:
            agent.close()


@contextmanager
def scripted_line(script: Script, *, greet: bool = False) -> Iterator[ScriptedLine]:
    """A line to such a guest; whoever takes it closes it."""
    ours, theirs = Channel.pair()
    failures: list[BaseException] = []

    def play() -> None:
        guest = ScriptedGuest(theirs)
        try:
            if greet:
                guest.send("vfs_ready", 0)
            script(guest)
        except BaseException as error:  # noqa: BLE001 - raised again by the test
            failures.append(error)

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield ScriptedLine(ours, thread)
    finally:
        thread.join(20)
        theirs.close()
    assert not thread.is_alive(), "the script has not come to its end"
    if failures:
        raise failures[0]
