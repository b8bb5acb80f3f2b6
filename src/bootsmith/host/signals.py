"""Ending in an orderly way when asked to."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn


class Terminated(KeyboardInterrupt):
    """This process was asked to end (SIGTERM, SIGHUP).  ``exit_code`` is the shell's for it.

    It travels as Ctrl-C does, so that whatever cleans up after that cleans up after this.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.exit_code = 128 + number


def end_in_order() -> None:
    """From now on SIGTERM and SIGHUP unwind the program instead of cutting it off."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _raise)


def outlive_the_terminal() -> None:
    """From now on only SIGTERM asks this process to end, and unwinds it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _raise)


def _raise(number: int, _: FrameType | None) -> NoReturn:
    raise Terminated(number)
