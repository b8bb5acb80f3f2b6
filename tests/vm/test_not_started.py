"""Only what the agent says of a command that it could not start is put in other words."""

from __future__ import annotations

import pytest

from bootsmith.vm.not_started import Beginning
from bootsmith.vm.stream import Stream

TOLD = b"sandboxd: tool: exec format error\n"


def heard(
    *output: bytes, exit_code: int = 127, stream: Stream = Stream.STDERR, pty: bool = False
) -> tuple[int, bytes]:
    """What is made of ``output`` of the command ``tool`` in ``/work``."""
    beginning = Beginning(program="tool", folder="/work", has_terminal=pty)
    passed = [piece for data in output for piece in beginning.pass_on(stream, data)]
    status, rest = beginning.end(exit_code)
    passed += rest
    assert {where for where, _ in passed} <= {stream}
    return status, b"".join(data for _, data in passed)


@pytest.mark.parametrize("size", [1, 2, 9, 10, 16, 33, 34])
def test_in_whatever_pieces_it_comes(size: int) -> None:
    pieces = [TOLD[at : at + size] for at in range(0, len(TOLD), size)]
    assert heard(*pieces) == (126, b"tool: cannot be run: exec format error\n")


def test_at_a_terminal_its_only_stream_is_meant() -> None:
    said = b"sandboxd: /work: not a directory\r\n"
    found = heard(said, stream=Stream.STDOUT, pty=True)
    assert found == (127, b"/work: cannot be entered: not a directory\r\n")
    assert heard(said, stream=Stream.STDOUT) == (127, said)


@pytest.mark.parametrize(
    ("output", "exit_code"),
    [
        ((TOLD,), 1),
        ((TOLD, b"more\n"), 127),
        ((b"before\n", TOLD), 127),
        ((TOLD[:-1],), 127),
        ((b"sandboxd: other: permission denied\n",), 127),
        ((b"sandboxd: tool: " + bytes(100) + b"\n",), 127),
        ((b"sandbox",), 127),
        ((b"",), 127),
    ],
)
def test_what_a_command_says_stays_as_it_is(output: tuple[bytes, ...], exit_code: int) -> None:
    assert heard(*output, exit_code=exit_code) == (exit_code, b"".join(output))


def test_a_command_does_not_wait_for_its_end_to_be_heard() -> None:
    beginning = Beginning(program="tool", folder=None, has_terminal=False)
    assert not list(beginning.pass_on(Stream.STDERR, b"sandboxd: to"))
    assert list(beginning.pass_on(Stream.STDERR, b"morrow")) == [
        (Stream.STDERR, b"sandboxd: to"),
        (Stream.STDERR, b"morrow"),
    ]
    assert list(beginning.pass_on(Stream.STDERR, TOLD)) == [(Stream.STDERR, TOLD)]


def test_who_prints_something_else_was_started() -> None:
    beginning = Beginning(program="tool", folder=None, has_terminal=False)
    assert not list(beginning.pass_on(Stream.STDERR, TOLD))
    found = list(beginning.pass_on(Stream.STDOUT, b"out"))
    assert found == [(Stream.STDERR, TOLD), (Stream.STDOUT, b"out")]
    status, rest = beginning.end(127)
    assert (status, list(rest)) == (127, [])
