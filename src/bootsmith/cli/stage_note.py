"""A sign of life under a stage that takes long: how long already, and what was printed last."""

from __future__ import annotations

from threading import Lock, Timer, current_thread
from typing import TYPE_CHECKING

from bootsmith.cli.screen import Screen
from bootsmith.host.clock import monotonic_s

if TYPE_CHECKING:
    from rich.progress import Progress

_PATIENCE_S = 2.0


class StageNote:
    """A moving line at a terminal, which is gone without a trace when the stage is over.

    Whoever draws something else in its place calls ``end`` first.  Safe to use from many threads.
    """

    def __init__(self, screen: Screen, *, patience_s: float = _PATIENCE_S) -> None:
        self._screen = screen
        self._patience_s = patience_s
        self._lock = Lock()
        self._timer: Timer | None = None
        self._line: Progress | None = None
        self._began_s = 0.0

    def begin(self) -> None:
        """A stage begins, and with it what was there before is over."""
        self.end()
        if self._screen.is_terminal:
            with self._lock:
                self._began_s = monotonic_s()
                self._timer = Timer(self._patience_s, self._show)
                self._timer.daemon = True
                self._timer.start()

    def tell(self, text: str) -> None:
        """Somebody printed ``text``, whose last line is shown."""
        with self._lock:
            lines = [line for line in text.splitlines() if line.strip()]
            if self._line is not None and lines:
                from bootsmith.cli.drawing import note_beside  # loaded: the line is drawn

                note_beside(self._line, lines[-1].strip())

    def end(self) -> None:
        """The stage is over.  A second call does nothing."""
        with self._lock:
            timer, self._timer = self._timer, None
            line, self._line = self._line, None
        if timer is not None:
            timer.cancel()
        if line is not None:
            line.stop()

    def _show(self) -> None:
        from bootsmith.cli.drawing import time_line  # few stages take so long

        with self._lock:
            if self._timer is not current_thread():
                return  # its stage was over at the last moment
            self._line = time_line(self._screen.console(), began_s=self._began_s)
            self._line.start()
