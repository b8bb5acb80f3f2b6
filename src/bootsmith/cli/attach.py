"""``bootsmith attach``."""

from __future__ import annotations

import click

from bootsmith.cli.guest_command import environment_options, run_or_open_shell
from bootsmith.sdk.vm import VM


@click.command()
@click.argument("machine", metavar="ID")
@environment_options
def command(machine: str, env: dict[str, str], cwd: str | None) -> int:
    """Open a shell in a machine that runs: bash if it is there, else sh.

    ID is the id of the machine, the beginning of it, or its name.  The machine runs on when
    the shell ends.  Any number of shells and commands (exec --vm) can run in it at once.
    """
    with VM.attach(machine) as vm:
        return run_or_open_shell(vm, (), env=env, cwd=cwd).exit_code
