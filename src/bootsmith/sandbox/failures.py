"""How a command's end becomes an error, whoever ran it."""

from __future__ import annotations

import errno

from bootsmith.errors import HostError, StepFailed
from bootsmith.model.guest_command import GuestCommand

_TIMED_OUT = 124  # as timeout(1) has it
_NOT_STARTED = 127
_SHOWN_LINES = 20


def failed(command: GuestCommand, exit_code: int, *, tail: str) -> StepFailed:
    """It ran, and ended with something else than 0.

    The message shows what its author wrote and its last lines; the error has all of ``tail``.
    """
    shown = [f"  {line}" for line in command.source.splitlines()]
    if shown and tail:
        shown.append("and last printed:")
    shown += tail.splitlines()[-_SHOWN_LINES:]
    return StepFailed(
        "\n".join(
            [f"{command.label} failed with status {exit_code}{':' if shown else ''}", *shown]
        ),
        step=command.label,
        exit_code=exit_code,
        output_tail=tail,
    )


def timed_out(command: GuestCommand, timeout_s: float, *, tail: str) -> StepFailed:
    """It was still running when the time for all commands was over."""
    return StepFailed(
        f"{command.label} did not finish within {timeout_s:g} s",
        step=command.label,
        exit_code=_TIMED_OUT,
        output_tail=tail,
    )


def cannot_start(
    command: GuestCommand, code: int, reason: str, *, hint: str
) -> StepFailed | HostError:
    """The kernel refused it with the errno ``code``; ``hint`` is for another machine's program."""
    if code == errno.ENOEXEC:
        return HostError(
            f"{command.argv[0]} cannot be executed: it is for another architecture", hint=hint
        )
    return StepFailed(
        f"{command.label} cannot be started: {command.argv[0]}: {reason}",
        step=command.label,
        exit_code=_NOT_STARTED,
    )
