"""A sign of life under a stage that takes long: how long already, and what was printed last."""

from __future__ import annotations

from threading import Lock, Timer, current_thread

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

_PATIENCE_S = 2.0
_A_SECOND = 4  # drawings; a build has better things to do


class StageNote:
    """A moving line at a terminal, which is gone without a trace when the stage is over.

    Whoever draws something else in its place calls ``end`` first.  Safe to use from many threads.
    """

    def __init__(self, console: Console, *, patience_s: float = _PATIENCE_S) -> None:
        self._console = console
        self._patience_s = patience_s
        self._lock = Lock()
        self._timer: Timer | None = None
        self._line: Progress | None = None
        self._began_s = 0.0

    def begin(self) -> None:
        """A stage begins, and with it what was there before is over."""
        self.end()
        if self._console.is_terminal:
            with self._lock:
                self._began_s = self._console.get_time()
                self._timer = Timer(self._patience_s, self._show)
                self._timer.daemon = True
                self._timer.start()

    def tell(self, text: str) -> None:
        """Somebody printed ``text``, whose last line is shown."""
        with self._lock:
            lines = [line for line in text.splitlines() if line.strip()]
            if self._line is not None and lines:
                self._line.update(self._line.task_ids[0], description=escape(lines[-1].strip()))

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
        with self._lock:
            if self._timer is not current_thread():
                return  # its stage was over at the last moment
            self._line = Progress(
                TextColumn(" "),
                SpinnerColumn(),
                TimeElapsedColumn(),
                TextColumn(
                    "[dim]{task.description}[/dim]",
                    table_column=Column(no_wrap=True, overflow="ellipsis"),
                ),
                console=self._console,
                transient=True,
                refresh_per_second=_A_SECOND,
            )
            self._line.add_task("")
            self._line.tasks[0].start_time = self._began_s
            self._line.start()
