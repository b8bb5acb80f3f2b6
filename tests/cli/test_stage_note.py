"""The sign of life under a stage: there while it lasts, and without a trace afterwards."""

from __future__ import annotations

import io
import threading

from rich.console import Console

from bootsmith.cli.screen import Screen
from bootsmith.cli.stage_note import StageNote


class Paper(io.StringIO):
    """Tells when ``words`` were written to it."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words
        self.has_words = threading.Event()

    def write(self, text: str) -> int:
        written = super().write(text)
        if self.words in self.getvalue():
            self.has_words.set()
        return written


def note_on(paper: Paper, *, terminal: bool = True, patience_s: float = 0.01) -> StageNote:
    return StageNote(
        Screen(Console(file=paper, force_terminal=terminal, width=60)), patience_s=patience_s
    )


def test_it_tells_how_long_and_what_was_printed_last() -> None:
    paper = Paper("0:00:0")
    note = note_on(paper)
    note.begin()
    assert paper.has_words.wait(30)
    paper.words = "Setting up [bash]"
    paper.has_words.clear()
    note.tell("Setting up a\nSetting up [bash] " + "very " * 30 + "long\n\n")
    assert paper.has_words.wait(30)
    note.end()
    assert "long" not in paper.getvalue()  # one line, whatever is printed
    assert paper.getvalue().endswith("\x1b[2K")  # which is gone
    assert paper.getvalue().count("\x1b[?25l") == paper.getvalue().count("\x1b[?25h") == 1


def test_a_stage_that_is_quick_shows_nothing() -> None:
    paper = Paper("0:")
    note = note_on(paper, patience_s=3600)
    note.begin()
    note.tell("unseen")
    note.begin()
    note.end()
    note.end()
    assert paper.getvalue() == ""


def test_a_log_has_no_moving_lines() -> None:
    paper = Paper("0:")
    note = note_on(paper, terminal=False, patience_s=0)
    note.begin()
    assert not paper.has_words.wait(0.2)
    note.end()
    assert paper.getvalue() == ""
