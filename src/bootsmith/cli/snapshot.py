"""``bootsmith snapshot``."""

from __future__ import annotations

from pathlib import Path

import click

from bootsmith.cli.guest_command import (
    CommandAfterDashes,
    environment_options,
    has_terminal,
    opened,
    run_on_this_terminal,
    run_streaming,
    variables,
)
from bootsmith.cli.machine_options import machine_options
from bootsmith.cli.notes import Notes, booting
from bootsmith.errors import ConfigError, VMError
from bootsmith.host.paths import exists, is_folder
from bootsmith.sdk.vm_options import VMOptions
from bootsmith.vm.checkpoint import build_id_of
from bootsmith.vm.shell import LOGIN_SHELL


@click.command(cls=CommandAfterDashes)
@click.argument("image", required=False)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), required=True,
    help="The checkpoint to make; an older one is replaced.",
)  # fmt: skip
@environment_options
@click.option(
    "--resume", type=click.Path(path_type=Path, dir_okay=False), help="Begin with this checkpoint."
)
@machine_options
@click.option("--verbose", "-v", is_flag=True, help="Tell what is decided, and why.")
def command(
    image: str | None,
    words: tuple[str, ...],
    output: Path,
    env: tuple[str, ...],
    cwd: str | None,
    resume: Path | None,
    options: VMOptions,
    verbose: bool,
) -> int:
    """Boot IMAGE, run a command or a shell in it, and keep what it changed on the disk.

    \b
    bootsmith snapshot -o git.qcow2 -- sh -c 'apt-get update && apt-get install -y git'
    bootsmith exec --resume git.qcow2 -- git --version
    bootsmith snapshot -o work.qcow2 --resume git.qcow2

    A command that fails leaves nothing behind, and its status is ours; a shell's status does
    not matter.  The checkpoint holds only the changes: it needs the same image again, which is
    found by its build id.
    """
    _require_replaceable(output)
    given = variables(env)
    notes = Notes(verbose=verbose)
    run = run_streaming if words or not has_terminal() else run_on_this_terminal
    with booting(opened(image, resume=resume, options=options, notes=notes)) as vm:
        result = run(vm, words or LOGIN_SHELL, env=given, cwd=cwd)
        if words and result.exit_code != 0:
            click.echo(f"nothing is kept: status {result.exit_code}", err=True)
            return result.exit_code
        vm.checkpoint(output)
    click.echo(f"{output}: resume it with: bootsmith bash --resume {output}", err=True)
    return 0


def _require_replaceable(output: Path) -> None:
    """Found out before anything is run: a checkpoint may be replaced, another file not."""
    if not is_folder(output.parent):
        raise ConfigError(f"the folder {output.parent} does not exist", hint="make it first")
    if exists(output):
        try:
            build_id_of(output)
        except VMError as error:
            raise ConfigError(
                f"{output} is there already and no checkpoint", hint="choose another --output"
            ) from error
