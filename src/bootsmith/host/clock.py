"""Time: how long to wait, and what day it is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple, Self


def now_s() -> int:
    """Seconds since 1970.  For ``sdk/`` and ``cli/``, which hand it down."""
    return int(time.time())


def monotonic_s() -> float:
    """Seconds since some moment in the past; never goes backwards."""
    return time.monotonic()


class Moment(NamedTuple):
    """``at_s`` of the monotonic clock, and how long this process has worked, its threads
    together."""

    at_s: float
    worked_s: float


def moment() -> Moment:
    """Now."""
    return Moment(time.monotonic(), time.process_time())


def pause(seconds: float) -> None:
    """Do nothing for so long."""
    time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment after which waiting is over; ``None`` waits for ever."""

    at_s: float | None

    @classmethod
    def after(cls, timeout_s: float | None) -> Self:
        return cls(None if timeout_s is None else time.monotonic() + timeout_s)

    def remaining_s(self) -> float | None:
        """Seconds left, at least 0; ``None`` when there is no end."""
        return None if self.at_s is None else max(0.0, self.at_s - time.monotonic())

    @property
    def passed(self) -> bool:
        return self.at_s is not None and time.monotonic() >= self.at_s
