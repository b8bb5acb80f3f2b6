from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootsmith.errors import HostError
from bootsmith.host.terminal import Resized, Terminal


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """The keyboard-and-screen end of a terminal, and the end a program sees."""
    person, program = pty.openpty()
    yield person, program
    for fd in (person, program):
        os.close(fd)


def set_size(fd: int, rows: int, columns: int) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def test_keys_go_through_as_they_are_and_the_terminal_is_restored(ends: tuple[int, int]) -> None:
    person, program = ends
    before = termios.tcgetattr(program)
    terminal = Terminal(input_fd=program, output_fd=program)
    with terminal:
        events = terminal.events()
        os.write(person, b"\x03\x04\x1a\r")  # Ctrl-C, Ctrl-D, Ctrl-Z, Enter
        assert next(events) == b"\x03\x04\x1a\r"
        terminal.write(b"a\nb")
        assert os.read(person, 100) == b"a\nb", "nothing is turned into carriage returns"
        terminal.stop()
        assert list(events) == []
    assert termios.tcgetattr(program) == before
    terminal.close()


def test_what_is_no_terminal_is_refused_and_nothing_stays_open() -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    with Path(os.devnull).open() as nothing:
        terminal = Terminal(input_fd=nothing.fileno())
        with pytest.raises(HostError, match="a terminal is needed") as refused, terminal:
            raise AssertionError("it is none")
    assert refused.value.hint
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_the_terminal_is_restored_after_an_exception(ends: tuple[int, int]) -> None:
    before = termios.tcgetattr(ends[1])
    terminal = Terminal(input_fd=ends[1], output_fd=ends[1])
    with pytest.raises(KeyboardInterrupt), terminal:
        raise KeyboardInterrupt
    assert termios.tcgetattr(ends[1]) == before
    terminal.close()


def test_a_new_size_is_told(ends: tuple[int, int]) -> None:
    handler = signal.getsignal(signal.SIGWINCH)
    terminal = Terminal(input_fd=ends[1], output_fd=ends[1])
    assert terminal.size() == Resized(rows=24, columns=80), "a size of 0 is no size"
    with terminal:
        set_size(ends[1], 50, 132)
        os.kill(os.getpid(), signal.SIGWINCH)
        assert next(terminal.events()) == Resized(rows=50, columns=132)
    assert signal.getsignal(signal.SIGWINCH) == handler
    terminal.close()


def test_a_closed_window_is_the_end() -> None:
    person, program = pty.openpty()
    terminal = Terminal(input_fd=program, output_fd=program)
    with terminal:
        os.close(person)
        assert list(terminal.events()) == []
    terminal.close()
    os.close(program)
