"""``bootsmith exec``."""

from __future__ import annotations

import click

from bootsmith.cli.boot_options import Boot, boot_options
from bootsmith.cli.guest_command import (
    NeedsCommand,
    environment_options,
    require_terminal,
    run_on_this_terminal,
    run_streaming,
)
from bootsmith.cli.notes import booting


@click.command(cls=NeedsCommand)
@click.option("--vm", "machine", metavar="ID", help="Run it in this machine, which runs already.")
@environment_options
@click.option("--tty", "-t", is_flag=True, help="Give COMMAND this terminal.")
@boot_options
def command(
    boot: Boot,
    machine: str | None,
    words: tuple[str, ...],
    env: dict[str, str],
    cwd: str | None,
    tty: bool,
) -> int:
    """Boot IMAGE, run a command in it, print what it prints, exit with its status.

    \b
    bootsmith exec ./my-assets -- uname -a
    bootsmith exec --mount ./src:/work --cwd /work -- make
    tar c . | bootsmith exec -- tar t
    bootsmith exec --vm web -- uptime

    IMAGE is a folder, a build id or a name; by default $BOOTSMITH_GUEST_DIR,
    $GONDOLIN_GUEST_DIR or ./bootsmith-image.  Signals for bootsmith go to the command.
    """
    if tty:
        require_terminal()
    run = run_on_this_terminal if tty else run_streaming
    if machine is not None:
        with boot.attached(machine) as attached:
            return run(attached, words, env=env, cwd=cwd).exit_code
    with booting(boot.vm()) as vm:
        return run(vm, words, env=env, cwd=cwd).exit_code
