"""How fast a server has to send: what arrived, set against the time that was spent waiting."""

from __future__ import annotations

import errno
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastPace:
    """What a server has to send: at least ``size_bytes`` in every ``period_s`` spent waiting."""

    size_bytes: int = 32 << 10
    period_s: float = 60


class Pace:
    """Of one answer.

    Waiting counts, not what happens between reads: those who take what arrives may be slow
    themselves.  Nor does the wait for the first byte, while the server may be thinking.
    """

    def __init__(self, least: LeastPace) -> None:
        self._least = least
        self._has_begun = False
        self._arrived_bytes = 0
        self._waited_s = 0.0

    def note(self, size_bytes: int, *, waited_s: float) -> None:
        """So much arrived after so long.  Raises ``TimeoutError`` when that is too slow."""
        self._arrived_bytes += size_bytes
        self._waited_s += waited_s if self._has_begun else 0
        self._has_begun = True
        if self._arrived_bytes >= self._least.size_bytes:
            self._arrived_bytes, self._waited_s = 0, 0.0
        elif self._waited_s >= self._least.period_s:
            text = (
                f"it sent {self._arrived_bytes} bytes in {self._waited_s:.0f} s, which is too slow"
            )
            raise TimeoutError(errno.ETIMEDOUT, text)
