"""The bar on a terminal: one for all transfers, gone when they are done."""

from __future__ import annotations

import io

from rich.console import Console

from bootsmith.cli.terminal import TerminalReporter


def reporter(*, terminal: bool) -> tuple[TerminalReporter, io.StringIO]:
    screen = io.StringIO()
    made = TerminalReporter()
    made._console = Console(file=screen, force_terminal=terminal, highlight=False, width=80)
    return made, screen


def test_overlapping_transfers_share_one_bar() -> None:
    watching, _ = reporter(terminal=True)
    with watching:
        watching.transfer_started(blobs=1, size_bytes=1000)
        watching.transfer_started(blobs=2, size_bytes=5000)
        watching.transferred(3000)
        progress = watching._progress
        assert progress is not None
        (task,) = progress.tasks
        assert (task.description, task.total, task.completed) == ("3 files", 6000, 3000)
        watching.transfer_ended()
        assert watching._progress is progress
        watching.transfer_ended()
        assert watching._progress is None
        assert progress.finished or not progress.live.is_started


def test_an_interruption_leaves_no_bar() -> None:
    watching, _ = reporter(terminal=True)
    with watching:
        watching.transfer_started(blobs=1, size_bytes=1000)
    assert watching._progress is None


def test_in_a_log_every_transfer_is_a_plain_line() -> None:
    watching, screen = reporter(terminal=False)
    with watching:
        watching.transfer_started(blobs=1, size_bytes=900)
        watching.transfer_started(blobs=20, size_bytes=5_000_000)
    assert screen.getvalue() == "  1 file, 0.9 kB\n  20 files, 5.0 MB\n"


def test_markup_in_a_message_is_shown_as_it_is() -> None:
    watching, screen = reporter(terminal=False)
    watching.stage("Running [bold]echo[/bold]")
    assert "[bold]echo[/bold]" in screen.getvalue()
