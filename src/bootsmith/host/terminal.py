"""The user's terminal, handed over to a program elsewhere.

While it is handed over every key goes through as it is, Ctrl-C too.  However the block is left,
the terminal is as it was before.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import termios
import threading
import tty
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any, Self

from bootsmith.errors import HostError

_KEYS_BYTES = 4096
_RESIZED, _STOPPED = b"r", b"s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resized:
    """The terminal has this size now."""

    rows: int
    columns: int


class Terminal:
    """A terminal in raw mode, as a context manager.

    Made in the main thread it also tells when its size changes: only there can a program
    receive signals.  Entering it raises ``HostError`` when the input is no terminal.
    """

    def __init__(self, *, input_fd: int = 0, output_fd: int = 1) -> None:
        self._input = input_fd
        self._output = output_fd
        self._saved: list[Any] | None = None
        self._saved_handler: Any = None
        # The signal handler may run between any two instructions, also where a lock is held:
        # it writes one byte, and the thread that reads the keys does the rest.
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_writer, False)

    def size(self) -> Resized:
        """Its size; 24 lines of 80 where it does not tell."""
        try:
            columns, rows = os.get_terminal_size(self._output)
        except OSError:
            columns, rows = 0, 0
        return Resized(rows=rows or 24, columns=columns or 80)

    def events(self) -> Iterator[bytes | Resized]:
        """The keys as they are typed and the sizes as they change, until ``stop`` or the end."""
        while True:
            readable, _, _ = select.select((self._input, self._wake_reader), (), ())
            if self._wake_reader in readable:
                woken = os.read(self._wake_reader, 64)
                if _STOPPED in woken:
                    return
                yield self.size()
            if self._input in readable:
                keys = self._read_keys()
                if not keys:
                    return
                yield keys

    def write(self, data: bytes) -> None:
        """Show ``data``."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._output, view) :]

    def stop(self) -> None:
        """End ``events``, from any thread."""
        self._wake(_STOPPED)

    def __enter__(self) -> Self:
        try:
            self._saved = termios.tcgetattr(self._input)
        except termios.error as error:
            self.close()
            raise HostError(
                f"a terminal is needed, and the input is none: {error.args[-1]}",
                hint="run it at a terminal, or a command without one",
            ) from error
        if threading.current_thread() is threading.main_thread():
            self._saved_handler = signal.signal(signal.SIGWINCH, self._on_resize)
        # What was typed while the other side was not there yet is for it.
        tty.setraw(self._input, termios.TCSADRAIN)
        return self

    def __exit__(self, *_: object) -> None:
        if self._saved is not None:
            # A terminal whose window was closed has nothing to restore.
            with contextlib.suppress(termios.error):
                # Keys typed ahead belong to whoever reads the terminal next.
                termios.tcsetattr(self._input, termios.TCSADRAIN, self._saved)
        if self._saved_handler is not None:
            signal.signal(signal.SIGWINCH, self._saved_handler)

    def close(self) -> None:
        """Let go of the descriptors; only when no thread is in ``events`` any more."""
        os.close(self._wake_reader)
        os.close(self._wake_writer)

    def _read_keys(self) -> bytes:
        try:
            return os.read(self._input, _KEYS_BYTES)
        except OSError:
            # The terminal's window was closed.
            return b""

    def _on_resize(self, _number: int, _frame: FrameType | None) -> None:
        self._wake(_RESIZED)

    def _wake(self, what: bytes) -> None:
        # A full pipe wakes as well as another byte would.
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_writer, what)
