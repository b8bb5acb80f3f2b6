"""``bootsmith exec``."""

from __future__ import annotations

import click

from bootsmith.cli.boot_options import Boot, boot_options
from bootsmith.cli.guest_command import (
    NeedsCommand,
    environment_options,
    require_terminal,
    run_or_open_shell,
    tty_option,
)
from bootsmith.cli.notes import booting


@click.command(cls=NeedsCommand)
@click.option("--vm", "machine", metavar="ID", help="Run it in this machine, which runs already.")
@environment_options
@tty_option
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
    if machine is not None:
        with boot.attached(machine) as attached:
            return run_or_open_shell(attached, words, env=env, cwd=cwd, tty=tty).exit_code
    with booting(boot.vm()) as vm:
        return run_or_open_shell(vm, words, env=env, cwd=cwd, tty=tty).exit_code
