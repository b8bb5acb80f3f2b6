"""``bootsmith attach``."""

from __future__ import annotations

import click

from bootsmith.cli.guest_command import (
    environment_options,
    has_terminal,
    run_on_this_terminal,
    run_streaming,
    variables,
)
from bootsmith.sdk.vm import VM
from bootsmith.vm.shell import LOGIN_SHELL


@click.command()
@click.argument("machine", metavar="ID")
@environment_options
def command(machine: str, env: tuple[str, ...], cwd: str | None) -> int:
    """Open a shell in a machine that runs: bash if it is there, else sh.

    ID is the id of the machine, the beginning of it, or its name.  The machine runs on when
    the shell ends.  Any number of shells and commands (exec --vm) can run in it at once.
    """
    run = run_on_this_terminal if has_terminal() else run_streaming
    given = variables(env)
    with VM.attach(machine) as vm:
        return run(vm, LOGIN_SHELL, env=given, cwd=cwd).exit_code
