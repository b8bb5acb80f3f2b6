"""The bar on a terminal: one for all transfers, gone when they are done."""

from __future__ import annotations

import io
import os
import sys

import pytest
from rich.console import Console

from bootsmith.cli.screen import Screen
from bootsmith.cli.terminal import TerminalReporter
from tests.support.terminal_dialogue import TerminalDialogue


def on_a_terminal() -> tuple[TerminalReporter, io.StringIO]:
    written = io.StringIO()
    screen = Screen(Console(file=written, force_terminal=True, width=80))
    return TerminalReporter(screen=screen), written


def test_overlapping_transfers_share_one_bar() -> None:
    watching, _ = on_a_terminal()
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
    watching, _ = on_a_terminal()
    with watching:
        watching.transfer_started(blobs=1, size_bytes=1000)
    assert watching._progress is None


def test_in_a_log_every_line_is_plain(capfd: pytest.CaptureFixture[str]) -> None:
    with TerminalReporter(verbose=True) as watching:
        watching.stage("Fetching")
        watching.transfer_started(blobs=1, size_bytes=900)
        watching.transfer_started(blobs=20, size_bytes=5_000_000)
        watching.warning("the mirror is slow")
        watching.output("sh", b"a\nb")
    assert capfd.readouterr().err == (
        "→ Fetching\n  1 file, 0.9 kB\n  20 files, 5.0 MB\nwarning: the mirror is slow\n"
        "  sh a\n  sh b\n"
    )


def test_a_line_is_styled_and_stands_above_what_moves() -> None:
    watching, written = on_a_terminal()
    with watching:
        watching.transfer_started(blobs=1, size_bytes=1000)
        watching.warning("late")
        watching.transferred(1000)
    assert "\x1b[33mwarning:\x1b[0m late\n" in written.getvalue()


_WARN = "from bootsmith.cli.terminal import TerminalReporter; TerminalReporter().warning('late')"


@pytest.mark.parametrize(("env", "said"), [({}, "\x1b[33mwarning:\x1b[0m late"),
                                           ({"NO_COLOR": "1"}, "warning: late")])  # fmt: skip
def test_who_wants_no_colours_gets_none(env: dict[str, str], said: str) -> None:
    environment = {**os.environ, "NO_COLOR": "", **env}
    with TerminalDialogue([sys.executable, "-c", _WARN], env=environment) as terminal:
        assert terminal.wait() == 0
        assert terminal.said.strip() == said


def test_markup_in_a_message_is_shown_as_it_is() -> None:
    watching, written = on_a_terminal()
    with watching:
        watching.stage("Running [bold]echo[/bold]")
    assert "[bold]echo[/bold]" in written.getvalue()
