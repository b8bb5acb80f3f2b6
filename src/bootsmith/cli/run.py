"""``bootsmith run``."""

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
from bootsmith.cli.notes import Notes, booting, note_if_long
from bootsmith.sdk.vm import VM
from bootsmith.sdk.vm_options import VMOptions
from bootsmith.vm.shell import LOGIN_SHELL


@click.command(cls=CommandAfterDashes)
@click.argument("image", required=False)
@click.option("--detach", "-d", is_flag=True, help="Let the machine run on; print its id.")
@click.option("--name", metavar="NAME", help="What a detached machine can be called, too.")
@environment_options
@click.option(
    "--resume", type=click.Path(path_type=Path, dir_okay=False), help="Begin with this checkpoint."
)
@machine_options
@click.option("--verbose", "-v", is_flag=True, help="Tell what is decided, and why.")
def command(
    image: str | None,
    words: tuple[str, ...],
    detach: bool,
    name: str | None,
    env: tuple[str, ...],
    cwd: str | None,
    resume: Path | None,
    options: VMOptions,
    verbose: bool,
) -> int:
    """Boot IMAGE and run a command in it, or a shell; with --detach, let the machine run on.

    \b
    bootsmith run ./my-assets
    bootsmith run --detach --name web ./my-assets
    bootsmith exec --vm web -- uname -a
    bootsmith stop web

    A detached machine needs no terminal and runs until its guest powers off or it is stopped:
    see attach, exec --vm, list, logs and stop.  IMAGE is a folder, a build id or a name; by
    default $BOOTSMITH_GUEST_DIR, $GONDOLIN_GUEST_DIR or ./bootsmith-image.
    """
    _check(words, detach=detach, name=name, has_environment=bool(env or cwd))
    given = variables(env)
    notes = Notes(verbose=verbose)
    vm = opened(image, resume=resume, options=options, notes=notes)
    if detach:
        return _detach(vm, image, name)
    run = run_streaming if words or not has_terminal() else run_on_this_terminal
    with booting(vm):
        return run(vm, words or LOGIN_SHELL, env=given, cwd=cwd).exit_code


def _detach(vm: VM, image: str | None, name: str | None) -> int:
    with note_if_long():
        detached = vm.detach(name=name, image_name=image)
    detached.close()
    click.echo(detached.id)
    return 0


def _check(
    words: tuple[str, ...], *, detach: bool, name: str | None, has_environment: bool
) -> None:
    if name is not None and not detach:
        raise click.UsageError("--name goes with --detach: another machine is gone at its end")
    if detach and (words or has_environment):
        raise click.UsageError(
            "--detach takes no command: start the machine, then: bootsmith exec --vm ID -- COMMAND"
        )
