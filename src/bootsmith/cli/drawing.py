"""What moves on a terminal.  Loaded when there is something to draw, for its library is large."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.table import Column
from rich.text import Text

_A_SECOND = 4  # drawings; a build has better things to do


def console_on_stderr() -> Console:
    """Standard error as rich knows it."""
    return Console(stderr=True)


def print_line(console: Console, text: str) -> None:
    """Write a line, styled by escape sequences, above whatever moves on ``console``."""
    console.print(Text.from_ansi(text), highlight=False, soft_wrap=True)


def transfer_bar(console: Console) -> Progress:
    """A bar for bytes that arrive, with its one task."""
    bar = Progress(
        TextColumn("  {task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        transient=True,
    )
    bar.add_task("", total=None)
    return bar


def time_line(console: Console, *, began_s: float) -> Progress:
    """How long it is since ``began_s`` of the monotonic clock, and a note beside it."""
    line = Progress(
        TextColumn(" "),
        SpinnerColumn(),
        TimeElapsedColumn(),
        TextColumn(
            "[dim]{task.description}[/dim]",
            table_column=Column(no_wrap=True, overflow="ellipsis"),
        ),
        console=console,
        transient=True,
        refresh_per_second=_A_SECOND,
    )
    line.add_task("")
    line.tasks[0].start_time = began_s
    return line


def note_beside(line: Progress, text: str) -> None:
    """Show ``text`` beside the time."""
    line.update(line.task_ids[0], description=escape(text))
