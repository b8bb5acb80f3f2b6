"""``bootsmith snapshot``."""

from __future__ import annotations

from pathlib import Path

import click

from bootsmith.cli.boot_options import Boot, boot_options
from bootsmith.cli.guest_command import CommandAfterDashes, environment_options, run_or_open_shell
from bootsmith.cli.notes import booting
from bootsmith.errors import ConfigError, VMError
from bootsmith.host.paths import exists, is_folder
from bootsmith.sdk.guest import Guest
from bootsmith.vm.checkpoint import build_id_of


@click.command(cls=CommandAfterDashes)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), required=True,
    help="The checkpoint to make; an older one is replaced.",
)  # fmt: skip
@click.option("--vm", "machine", metavar="ID", help="Stop this machine, and keep what it changed.")
@environment_options
@boot_options
def command(
    boot: Boot,
    machine: str | None,
    words: tuple[str, ...],
    output: Path,
    env: dict[str, str],
    cwd: str | None,
) -> int:
    """Boot IMAGE, run a command or a shell in it, and keep what it changed on the disk.

    \b
    bootsmith snapshot -o git.qcow2 -- sh -c 'apt-get update && apt-get install -y git'
    bootsmith exec --resume git.qcow2 -- git --version
    bootsmith snapshot -o work.qcow2 --resume git.qcow2
    bootsmith snapshot -o web.qcow2 --vm web

    A command that fails leaves nothing behind, and its status is ours; a shell's status does
    not matter.  The checkpoint holds only the changes: it needs the same image again, which is
    found by its build id.

    With --vm a machine that runs already (run --detach) is stopped and kept; without a command
    nothing is run in it before, and when a command fails it runs on.
    """
    _require_replaceable(output)
    if machine is not None:
        if not words and (env or cwd):
            raise click.UsageError("--env and --cwd go with a command")
        with boot.attached(machine) as attached:
            status = _run(attached, words, env=env, cwd=cwd) if words else 0
            if status == 0:
                attached.checkpoint(output)
    else:
        with booting(boot.vm()) as vm:
            status = _run(vm, words, env=env, cwd=cwd)
            if status == 0:
                vm.checkpoint(output)
    if status != 0:
        click.echo(f"nothing is kept: status {status}", err=True)
        return status
    click.echo(f"{output}: resume it with: bootsmith bash --resume {output}", err=True)
    return 0


def _run(vm: Guest, words: tuple[str, ...], *, env: dict[str, str], cwd: str | None) -> int:
    """The status of a command; that of a shell does not matter."""
    status = run_or_open_shell(vm, words, env=env, cwd=cwd).exit_code
    return status if words else 0


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
