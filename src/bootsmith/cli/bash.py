"""``bootsmith bash``."""

from __future__ import annotations

import click

from bootsmith.cli.boot_options import Boot, boot_options
from bootsmith.cli.guest_command import environment_options, run_or_open_shell
from bootsmith.cli.notes import booting


@click.command()
@environment_options
@boot_options
def command(boot: Boot, env: dict[str, str], cwd: str | None) -> int:
    """Boot IMAGE and open a shell in it: bash if it is there, else sh.

    \b
    bootsmith bash ./my-assets
    bootsmith bash --resume work.qcow2
    bootsmith bash < script.sh

    IMAGE is a folder, a build id or a name; by default $BOOTSMITH_GUEST_DIR,
    $GONDOLIN_GUEST_DIR or ./bootsmith-image.  What is written is gone afterwards; see snapshot.
    """
    with booting(boot.vm()) as vm:
        return run_or_open_shell(vm, (), env=env, cwd=cwd).exit_code
