"""``bootsmith bash``."""

from __future__ import annotations

from pathlib import Path

import click

from bootsmith.cli.guest_command import (
    environment_options,
    has_terminal,
    opened,
    run_on_this_terminal,
    run_streaming,
    variables,
)
from bootsmith.cli.machine_options import machine_options
from bootsmith.cli.notes import Notes, booting
from bootsmith.sdk.vm_options import VMOptions
from bootsmith.vm.shell import LOGIN_SHELL


@click.command()
@click.argument("image", required=False)
@environment_options
@click.option(
    "--resume", type=click.Path(path_type=Path, dir_okay=False), help="Begin with this checkpoint."
)
@machine_options
@click.option("--verbose", "-v", is_flag=True, help="Tell what is decided, and why.")
def command(
    image: str | None,
    env: tuple[str, ...],
    cwd: str | None,
    resume: Path | None,
    options: VMOptions,
    verbose: bool,
) -> int:
    """Boot IMAGE and open a shell in it: bash if it is there, else sh.

    \b
    bootsmith bash ./my-assets
    bootsmith bash --resume work.qcow2
    bootsmith bash < script.sh

    IMAGE is a folder, a build id or a name; by default $BOOTSMITH_GUEST_DIR,
    $GONDOLIN_GUEST_DIR or ./bootsmith-image.  What is written is gone afterwards; see snapshot.
    """
    run = run_on_this_terminal if has_terminal() else run_streaming
    given = variables(env)
    notes = Notes(verbose=verbose)
    with booting(opened(image, resume=resume, options=options, notes=notes)) as vm:
        return run(vm, LOGIN_SHELL, env=given, cwd=cwd).exit_code
