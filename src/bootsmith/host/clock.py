"""The only place that knows what time it is."""

from __future__ import annotations

import time


def now_s() -> int:
    """Seconds since 1970."""
    return int(time.time())


def monotonic_s() -> float:
    """Seconds on a clock that never goes back; only differences mean anything."""
    return time.monotonic()


def sleep(duration_s: float) -> None:
    time.sleep(duration_s)
