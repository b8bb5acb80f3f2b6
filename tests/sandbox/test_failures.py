"""What an error says of a command that failed."""

from __future__ import annotations

from bootsmith.model.guest_command import GuestCommand
from bootsmith.sandbox.failures import failed


def said(source: str, tail: str) -> str:
    command = GuestCommand(argv=("/bin/sh",), label="postBuild.commands[1] (2 of 3)", source=source)
    error = failed(command, 7, tail=tail)
    assert (error.step, error.exit_code, error.output_tail) == (command.label, 7, tail)
    return str(error)


def test_which_command_it_was_how_it_ended_and_what_it_printed() -> None:
    assert said("make\nmake install", "no such target\nstop").splitlines() == [
        "postBuild.commands[1] (2 of 3) failed with status 7:",
        "  make",
        "  make install",
        "and last printed:",
        "no such target",
        "stop",
    ]


def test_a_command_that_printed_nothing() -> None:
    assert said("false", "").splitlines()[1:] == ["  false"]
    assert said("", "") == "postBuild.commands[1] (2 of 3) failed with status 7"


def test_the_message_is_short_and_the_error_has_all() -> None:
    lines = said("", "\n".join(map(str, range(1000)))).splitlines()
    assert lines[1:] == [str(number) for number in range(980, 1000)]
