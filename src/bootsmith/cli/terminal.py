"""What a person sees of a build: stages on lines of their own, a bar while bytes arrive, and a
sign of life where a stage takes long.

On a terminal the bar is drawn in place; in a log every stage is one plain line.
"""

from __future__ import annotations

from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from bootsmith.cli.screen import Screen
from bootsmith.cli.stage_note import StageNote
from bootsmith.model.plain_text import plain_text

if TYPE_CHECKING:
    from rich.progress import Progress

_MB = 1_000_000


class TerminalReporter:
    """Writes to standard error; with ``verbose`` also what commands in the image print."""

    def __init__(
        self, *, quiet: bool = False, verbose: bool = False, screen: Screen | None = None
    ) -> None:
        self._screen = screen or Screen()
        self._quiet = quiet
        self._verbose = verbose
        self._progress: Progress | None = None
        self._under_way = 0
        self._blobs = 0
        self._size_bytes = 0
        self._lock = Lock()
        self._note = StageNote(self._screen)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._note.end()
        with self._lock:
            self._stop()

    def stage(self, title: str) -> None:
        if not self._quiet:
            self._note.end()
            self._screen.line(f"{click.style('→', bold=True)} {plain_text(title)}")
            self._note.begin()

    def detail(self, text: str) -> None:
        if self._verbose:
            self._screen.line(f"  {_dim(text)}")

    def warning(self, text: str) -> None:
        self._screen.line(f"{click.style('warning:', fg='yellow')} {plain_text(text)}")

    def output(self, label: str, data: bytes) -> None:
        if self._verbose:
            for line in data.decode("utf-8", "replace").splitlines():
                self._screen.line(f"  {_dim(label)} {plain_text(line)}")
        else:
            self._note.tell(plain_text(data.decode("utf-8", "replace")))

    def transfer_started(self, *, blobs: int, size_bytes: int) -> None:
        if self._quiet:
            return
        if not self._screen.is_terminal:
            self._screen.line(f"  {_files(blobs)}, {_size(size_bytes)}")
            return
        with self._lock:
            self._note.end()
            # Transfers may overlap, as those of several indexes do: one bar counts them all.
            if self._progress is None:
                from bootsmith.cli.drawing import transfer_bar  # not every build fetches

                self._progress = transfer_bar(self._screen.console())
                self._blobs = self._size_bytes = 0
                self._progress.start()
            self._under_way += 1
            self._blobs += blobs
            self._size_bytes += size_bytes
            # Nobody knows how long an index is: the bar then shows that something arrives.
            self._progress.update(
                self._progress.task_ids[0],
                description=_files(self._blobs),
                total=self._size_bytes or None,
            )

    def transferred(self, size_bytes: int) -> None:
        with self._lock:
            if self._progress is not None:
                self._progress.advance(self._progress.task_ids[0], size_bytes)

    def transfer_ended(self) -> None:
        with self._lock:
            self._under_way -= 1
            if self._under_way > 0:
                return
            self._stop()
            if not self._quiet:
                self._note.begin()

    def _stop(self) -> None:
        self._under_way = 0
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _size(size_bytes: int) -> str:
    if size_bytes < _MB:
        return f"{size_bytes / 1e3:.1f} kB"
    return f"{size_bytes / _MB:.1f} MB"


def _dim(text: str) -> str:
    return click.style(plain_text(text), dim=True)
