"""How many downloads go on at once."""

from __future__ import annotations

from collections.abc import Callable
from threading import Semaphore
from types import TracebackType

from bootsmith.host.clock import Moment, moment

LOOK_S = 0.05
"""How long to wait before each look."""

_FEW = 2
_AT_WORK = 0.6  # of the time


class Lanes:
    """A download holds a lane: there are two, until this process is seen to wait; then ``many``.

    From a server nearby, downloads wait for nothing but this machine, and more of them only
    stand in each other's way: a build takes a tenth longer with eight.  From far, what comes is
    mostly on its way, so then there are many.
    """

    def __init__(self, many: int, *, clock: Callable[[], Moment] = moment) -> None:
        self._many = many
        self._free = Semaphore(_FEW)
        self._clock = clock
        self._looked = clock()
        self.are_many = False

    def __enter__(self) -> None:
        self._free.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._free.release()

    def look(self) -> None:
        """Have many lanes from now on if this process waited since the last look.

        For one thread: who waits for the downloads.
        """
        then, now = self._looked, self._clock()
        self._looked = now
        worked_s = now.worked_s - then.worked_s
        if not self.are_many and worked_s < _AT_WORK * (now.at_s - then.at_s):
            self.are_many = True
            self._free.release(self._many - _FEW)
