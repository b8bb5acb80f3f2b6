"""Standard error: lines that stay, and at a terminal something that moves below them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

import click

from bootsmith.host.environment import environment
from bootsmith.host.standard_streams import STDERR, is_terminal

if TYPE_CHECKING:
    from rich.console import Console


class Screen:
    """Lines are written plainly until something is drawn, and then by what draws.

    So the library that draws is loaded by those who need it: no log does, and no build that is
    over in a moment.  Safe to use from many threads.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.is_terminal = is_terminal(STDERR) if console is None else console.is_terminal
        color = False if environment().get("NO_COLOR") else None  # as rich has it
        self._write: Callable[[str], None] = partial(click.echo, err=True, color=color)
        self._console: Console | None = None
        self._lock = Lock()
        if console is not None:
            self._use(console)

    def line(self, text: str) -> None:
        """Write a line; of one that is too long, the terminal makes several."""
        with self._lock:
            self._write(text)

    def console(self) -> Console:
        """What draws on this screen."""
        with self._lock:
            if self._console is None:
                from bootsmith.cli.drawing import console_on_stderr

                self._use(console_on_stderr())
            assert self._console is not None
            return self._console

    def _use(self, console: Console) -> None:
        from bootsmith.cli.drawing import print_line

        self._console = console
        self._write = partial(print_line, console)
