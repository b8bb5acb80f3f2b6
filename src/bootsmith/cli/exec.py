"""``bootsmith exec``."""

from __future__ import annotations

from pathlib import Path

import click

from bootsmith.cli.guest_command import (
    NeedsCommand,
    environment_options,
    opened,
    require_terminal,
    run_on_this_terminal,
    run_streaming,
    variables,
)
from bootsmith.cli.machine_options import machine_options
from bootsmith.cli.notes import Notes, booting
from bootsmith.sdk.vm import VM
from bootsmith.sdk.vm_options import VMOptions


@click.command(cls=NeedsCommand)
@click.argument("image", required=False)
@click.option("--vm", "machine", metavar="ID", help="Run it in this machine, which runs already.")
@environment_options
@click.option("--tty", "-t", is_flag=True, help="Give COMMAND this terminal.")
@click.option(
    "--resume", type=click.Path(path_type=Path, dir_okay=False), help="Begin with this checkpoint."
)
@machine_options
@click.option("--verbose", "-v", is_flag=True, help="Tell what is decided, and why.")
def command(
    image: str | None,
    machine: str | None,
    words: tuple[str, ...],
    env: tuple[str, ...],
    cwd: str | None,
    tty: bool,
    resume: Path | None,
    options: VMOptions,
    verbose: bool,
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
    given = variables(env)
    if machine is not None:
        if image is not None or resume is not None or options != VMOptions():
            raise click.UsageError("--vm takes neither an IMAGE nor options of a new machine")
        with VM.attach(machine) as attached:
            return run(attached, words, env=given, cwd=cwd).exit_code
    notes = Notes(verbose=verbose)
    with booting(opened(image, resume=resume, options=options, notes=notes)) as vm:
        return run(vm, words, env=given, cwd=cwd).exit_code
