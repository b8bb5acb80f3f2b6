"""``bootsmith bash``."""

from __future__ import annotations

import shlex

import click

from bootsmith.cli.boot_options import Boot, boot_options
from bootsmith.cli.guest_command import environment_options, run_or_open_shell
from bootsmith.cli.notes import booting
from bootsmith.errors import ImageError


class _TakesNoCommand(click.Command):
    """Says where a command goes that stands behind dashes, before it is taken for an IMAGE."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        words = args[at + 1 :]
        if len(words) > 1 or (words and not _is_image(words[0])):
            example = shlex.join([*args[:at], "--", *words])
            raise click.UsageError(
                f"bash takes no command; to run one: bootsmith exec {example}", ctx=ctx
            )
        return super().parse_args(ctx, args)


def _is_image(word: str) -> bool:
    from bootsmith.sdk.selecting import select  # the library; a folder does without it

    try:
        select(word)
    except ImageError:
        return False
    return True


@click.command(cls=_TakesNoCommand)
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
