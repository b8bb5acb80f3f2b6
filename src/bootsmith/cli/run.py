"""``bootsmith run``."""

from __future__ import annotations

import click

from bootsmith.cli.boot_options import Boot, boot_options
from bootsmith.cli.guest_command import (
    CommandAfterDashes,
    environment_options,
    require_terminal,
    run_or_open_shell,
    tty_option,
)
from bootsmith.cli.notes import booting, note_if_long
from bootsmith.sdk.vm import VM


@click.command(cls=CommandAfterDashes)
@click.option("--detach", "-d", is_flag=True, help="Let the machine run on; print its id.")
@click.option("--name", metavar="NAME", help="What a detached machine can be called, too.")
@environment_options
@tty_option
@boot_options
def command(
    boot: Boot,
    words: tuple[str, ...],
    detach: bool,
    name: str | None,
    env: dict[str, str],
    cwd: str | None,
    tty: bool,
) -> int:
    """Boot IMAGE and run a command in it, or a shell; with --detach, let the machine run on.

    \b
    bootsmith run ./my-assets
    bootsmith run --tty ./my-assets -- vi /etc/motd
    bootsmith run --detach --name web ./my-assets
    bootsmith exec --vm web -- uname -a
    bootsmith stop web

    A detached machine needs no terminal and runs until its guest powers off or it is stopped:
    see attach, exec --vm, list, logs and stop.  IMAGE is a folder, a build id or a name; by
    default $BOOTSMITH_GUEST_DIR, $GONDOLIN_GUEST_DIR or ./bootsmith-image.
    """
    _check(words, detach=detach, name=name, has_environment=bool(env or cwd), tty=tty)
    if tty:
        require_terminal()
    vm = boot.vm()
    if detach:
        return _detach(vm, boot.image, name)
    with booting(vm):
        return run_or_open_shell(vm, words, env=env, cwd=cwd, tty=tty).exit_code


def _detach(vm: VM, image: str | None, name: str | None) -> int:
    with note_if_long(vm.files.arch, vm.options.acceleration):
        detached = vm.detach(name=name, image_name=image)
    detached.close()
    click.echo(detached.id)
    return 0


def _check(
    words: tuple[str, ...], *, detach: bool, name: str | None, has_environment: bool, tty: bool
) -> None:
    if name is not None and not detach:
        raise click.UsageError("--name goes with --detach: another machine is gone at its end")
    if detach and (words or has_environment):
        raise click.UsageError(
            "--detach takes no command: start the machine, then: bootsmith exec --vm ID -- COMMAND"
        )
    if detach and tty:
        raise click.UsageError(
            "--detach takes no --tty: start the machine, then: bootsmith exec --vm ID --tty -- "
            "COMMAND"
        )
