"""A person at a terminal of the guest."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from bootsmith.errors import AgentError
from bootsmith.host.terminal import Resized
from bootsmith.vm.agent import Agent
from bootsmith.vm.execution import Command, ExecResult, RunningCommand, TerminalSize

LOGIN_SHELL = ("/bin/sh", "-c", "command -v bash >/dev/null && exec bash -l; exec /bin/sh -l")


class Screen(Protocol):
    """What a person sits at (``host.terminal.Terminal``, already in raw mode)."""

    def size(self) -> Resized: ...

    def events(self) -> Iterator[bytes | Resized]: ...

    def write(self, data: bytes) -> None: ...

    def stop(self) -> None: ...


def run_on_terminal(
    agent: Agent,
    screen: Screen,
    command: str | Sequence[str] = LOGIN_SHELL,
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
) -> ExecResult:
    """Run ``command`` on a terminal of the guest whose other end is ``screen``.

    Returns how it ended.  Raises ``AgentError`` when the guest is gone.
    """
    size = screen.size()
    running = agent.start(
        Command.of(
            command,
            env=env,
            cwd=cwd,
            terminal=TerminalSize(rows=size.rows, columns=size.columns),
        ),
        stdin=True,
    )
    keyboard = threading.Thread(
        target=_pass_keys, args=(screen, running), name="bootsmith-keyboard", daemon=True
    )
    keyboard.start()
    try:
        for _, data in running.output():
            screen.write(data)
    finally:
        screen.stop()
        keyboard.join()
    assert running.result is not None
    return running.result


def _pass_keys(screen: Screen, running: RunningCommand) -> None:
    try:
        for event in screen.events():
            if isinstance(event, Resized):
                running.resize(TerminalSize(rows=event.rows, columns=event.columns))
            elif not running.write_stdin(event):
                return
        running.end_stdin()
    except AgentError:
        # The line has ended; the thread that reads the output is told why.
        return
