"""A running machine that serves a tree: what it is asked to do, in order.

The programs are those of guest/src/tree; docs/guest.md says what each takes.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from bootsmith.errors import AgentError, HostError, StepFailed, VMError
from bootsmith.host.clock import Deadline
from bootsmith.host.sandbox.mounts import View
from bootsmith.model.guest_command import GuestCommand
from bootsmith.sandbox.executor import OnOutput, SandboxJob
from bootsmith.sandbox.failures import cannot_start, failed, timed_out
from bootsmith.sandbox.output import Lines
from bootsmith.vm.execution import Command, Stream
from bootsmith.vm.running import RunningMachine

_PROGRAM = "/bin/bootsmith-guest"
_PREPARE_TIMEOUT_S = 120.0
_COMPLAINT_BYTES = 1 << 16
_SEAL_TIMEOUT_S = 900.0  # a full disk is written first


class TreeGuest:
    """``prepare`` comes first and ``seal`` last, after which the disk may be read."""

    def __init__(self, machine: RunningMachine) -> None:
        self._machine = machine

    def prepare(self, view: View, *, hostname: str) -> None:
        """Make the surroundings of the commands.  Raises ``VMError``."""
        places = (os.fsdecode(view.dev), os.fsdecode(view.sys))
        self._do(("prepare", hostname, *places), timeout_s=_PREPARE_TIMEOUT_S)

    def run(self, job: SandboxJob, *, proc: bytes, on_output: OnOutput) -> None:
        """Run the commands of ``job``, the first that fails the last.

        Raises ``StepFailed``, and ``VMError`` when the machine ends under them.
        """
        deadline = Deadline.after(job.timeout_s)
        for command in job.commands:
            lines = Lines(command.label, on_output)
            try:
                self._run_one(command, proc, lines, deadline)
            except AgentError as error:
                raise VMError(
                    f"the machine failed while {command.label} ran: {error}"
                    f"{self._machine.last_words()}",
                    hint="it may have run out of memory",
                ) from error
            except VMError:
                if job.timeout_s is None or not deadline.passed:
                    raise
                raise timed_out(command, job.timeout_s, tail=lines.tail) from None
            finally:
                lines.end()

    def seal(self) -> None:
        """Have all that was written on the disk, for good.  Raises ``VMError``."""
        self._do(("seal",), timeout_s=_SEAL_TIMEOUT_S)

    def _run_one(
        self, command: GuestCommand, proc: bytes, lines: Lines, deadline: Deadline
    ) -> None:
        environment = [f"{name}={value}" for name, value in command.env.items()]
        where = (os.fsdecode(proc), command.cwd)
        exit_code, complaint = self._exec(
            ("enter", *where, str(len(environment)), *environment, *command.argv),
            on_output=lines.add,
            timeout_s=deadline.remaining_s(),
        )
        if complaint:
            raise _refusal(command, complaint)
        if exit_code:
            raise failed(command, exit_code, tail=lines.tail)

    def _do(self, words: tuple[str, ...], *, timeout_s: float) -> None:
        exit_code, complaint = self._exec(words, on_output=len, timeout_s=timeout_s)
        if exit_code:
            raise VMError(f"the guest could not {words[0]} the tree: {complaint.strip()}")

    def _exec(
        self,
        words: tuple[str, ...],
        *,
        on_output: Callable[[bytes], object],
        timeout_s: float | None,
    ) -> tuple[int, str]:
        """How our program ended, and what it said on its standard error."""
        agent = self._machine.agent
        assert agent is not None, "the machine has the agent's port"
        complaint = bytearray()
        running = agent.start(Command.of((_PROGRAM, *words)))
        for stream, data in running.output(timeout_s=timeout_s):
            if stream is Stream.STDOUT:
                on_output(data)
            else:
                complaint += data[: _COMPLAINT_BYTES - len(complaint)]
        assert running.result is not None
        return running.result.exit_code, complaint.decode("utf-8", "replace")


def _refusal(command: GuestCommand, complaint: str) -> StepFailed | HostError | VMError:
    """What ``enter`` said because it could not run the command: a stage, an errno, its text."""
    stage, _, rest = complaint.partition(" ")
    number, _, reason = rest.partition(" ")
    if stage != "start" or not number.isdecimal():
        return VMError(f"the guest could not enter the tree: {complaint}")
    return cannot_start(
        command,
        int(number),
        reason,
        hint="see whether it was copied or downloaded for the image's architecture",
    )
