"""Signals for this process that are meant for a program elsewhere."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

from bootsmith.host.signals import Terminated

# What a guest, which is Linux, calls the signals of whatever system this is.
_LINUX_NUMBERS = {
    signal.SIGHUP: 1,
    signal.SIGINT: 2,
    signal.SIGQUIT: 3,
    signal.SIGUSR1: 10,
    signal.SIGUSR2: 12,
    signal.SIGTERM: 15,
}
_ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
_PATIENCE = 3


class ForwardedSignals:
    """From ``lead_to`` to the end of the block, signals for this process go somewhere else.

    The third that asks this process to end is obeyed here, so that one that nobody heeds there
    is not the last word.  To be used in the main thread, which alone receives signals.
    """

    def __init__(self) -> None:
        self._saved: dict[signal.Signals, Any] = {}
        self._asked = 0
        # A handler may run between any two instructions, also where a lock is held: it only
        # puts a number into this queue, which is made for that, and a thread does the rest.
        self._numbers: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._sender: threading.Thread | None = None

    def lead_to(self, sink: Callable[[int], object]) -> None:
        """``sink`` is called with Linux's number of each signal, in a thread of its own."""
        self._sender = threading.Thread(
            target=self._send, args=(sink,), name="bootsmith-signals", daemon=True
        )
        self._sender.start()
        for number in _LINUX_NUMBERS:
            self._saved[number] = signal.signal(number, self._receive)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._saved.items():
            signal.signal(number, handler)
        self._numbers.put(None)
        if self._sender is not None:
            self._sender.join()

    def _receive(self, number: int, _: FrameType | None) -> None:
        received = signal.Signals(number)
        self._asked += received in _ENDING
        if self._asked == _PATIENCE:
            raise KeyboardInterrupt if received is signal.SIGINT else Terminated(number)
        self._numbers.put(_LINUX_NUMBERS[received])

    def _send(self, sink: Callable[[int], object]) -> None:
        while (number := self._numbers.get()) is not None:
            sink(number)
