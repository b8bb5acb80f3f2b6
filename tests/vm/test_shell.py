"""A person's session with a real agent, typed by the test."""

from __future__ import annotations

import queue
from collections.abc import Iterator

from bootsmith.host.terminal import Resized
from bootsmith.vm.shell import run_on_terminal
from tests.support.agent_process import connected_agent


class TypedScreen:
    """Types each line when the words that it waits for have appeared."""

    def __init__(self, *conversation: tuple[bytes, bytes | Resized]) -> None:
        self._conversation = list(conversation)
        self._events: queue.SimpleQueue[bytes | Resized | None] = queue.SimpleQueue()
        self.shown = bytearray()

    def size(self) -> Resized:
        return Resized(rows=30, columns=90)

    def events(self) -> Iterator[bytes | Resized]:
        while (event := self._events.get()) is not None:
            yield event

    def write(self, data: bytes) -> None:
        self.shown += data
        while self._conversation and self._conversation[0][0] in self.shown:
            self._events.put(self._conversation.pop(0)[1])

    def stop(self) -> None:
        self._events.put(None)


def test_a_session() -> None:
    screen = TypedScreen(
        (b"ready", b"stty size\r"),
        (b"30 90", Resized(rows=40, columns=100)),
        (b"30 90", b"stty size\r"),
        # A Ctrl-C also throws away what the shell has not read yet, so each line waits for a
        # sign that the one before has arrived, not for its echo; and the sign comes from the
        # command itself, which the shell has made the terminal's foreground by then.
        (b"40 100", b"sh -c 'echo go-$((40+2)); exec sleep 60'\r"),
        (b"go-42", b"\x03"),
        (b"<130>", b"exit 7\r"),
    )
    command = ["/bin/sh", "-c", "PS1='<$?>'; export PS1; echo ready; exec /bin/sh -i"]
    with connected_agent() as agent:
        result = run_on_terminal(agent, screen, command, env={"ENV": ""})
    assert result.exit_code == 7
    assert b"40 100" in screen.shown


def test_a_command_that_ends_ends_the_session_although_nobody_types() -> None:
    screen = TypedScreen()
    with connected_agent() as agent:
        assert run_on_terminal(agent, screen, "echo bye; exit 3").exit_code == 3
    assert screen.shown == b"bye\r\n"
