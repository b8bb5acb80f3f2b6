"""The sign of life under a stage: there while it lasts, and without a trace afterwards."""

from __future__ import annotations

import io
import threading

from rich.console import Console

from bootsmith.cli.stage_note import StageNote


class Screen(io.StringIO):
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


def note_on(screen: Screen, *, terminal: bool = True, patience_s: float = 0.01) -> StageNote:
    return StageNote(Console(file=screen, force_terminal=terminal, width=60), patience_s=patience_s)


def test_it_tells_how_long_and_what_was_printed_last() -> None:
    screen = Screen("0:00:0")
    note = note_on(screen)
    note.begin()
    assert screen.has_words.wait(30)
    screen.words = "Setting up [bash]"
    screen.has_words.clear()
    note.tell("Setting up a\nSetting up [bash] " + "very " * 30 + "long\n\n")
    assert screen.has_words.wait(30)
    note.end()
    assert "long" not in screen.getvalue()  # one line, whatever is printed
    assert screen.getvalue().endswith("\x1b[2K")  # which is gone
    assert screen.getvalue().count("\x1b[?25l") == screen.getvalue().count("\x1b[?25h") == 1


def test_a_stage_that_is_quick_shows_nothing() -> None:
    screen = Screen("0:")
    note = note_on(screen, patience_s=3600)
    note.begin()
    note.tell("unseen")
    note.begin()
    note.end()
    note.end()
    assert screen.getvalue() == ""


def test_a_log_has_no_moving_lines() -> None:
    screen = Screen("0:")
    note = note_on(screen, terminal=False, patience_s=0)
    note.begin()
    assert not screen.has_words.wait(0.2)
    note.end()
    assert screen.getvalue() == ""
