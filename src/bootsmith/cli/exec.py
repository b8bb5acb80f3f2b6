"""``bootsmith exec``."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from bootsmith.cli.notes import Notes
from bootsmith.host.standard_streams import (
    STDERR,
    STDIN,
    STDOUT,
    is_open,
    is_terminal,
    read_chunks,
    writer,
)
from bootsmith.sdk.settings import default_image_folder
from bootsmith.sdk.vm import VM, Acceleration, RootfsMode, VMOptions


class _AfterDashes(click.Command):
    """Splits ``[IMAGE] [OPTIONS] -- COMMAND…`` at the dashes, before click would drop them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ours, words = args, []
        if "--" in args:
            at = args.index("--")
            ours, words = args[:at], args[at + 1 :]
        rest = super().parse_args(ctx, ours)
        ctx.params["words"] = tuple(words)
        return rest


@click.command(cls=_AfterDashes, options_metavar="[OPTIONS]", epilog="COMMAND follows after --")
@click.argument("image", required=False, type=click.Path(path_type=Path))
@click.option("--env", "-e", multiple=True, metavar="NAME=VALUE", help="A variable for COMMAND.")
@click.option("--cwd", metavar="FOLDER", help="The folder in the guest to run COMMAND in.")
@click.option(
    "--cpus", type=click.IntRange(1, 255), default=2, show_default=True, help="Processors."
)
@click.option(
    "--memory", "memory_mib", type=click.IntRange(64), default=1024, show_default=True,
    metavar="MIB", help="Memory.",
)  # fmt: skip
@click.option("--network/--no-network", default=True, help="Let the guest reach out (on).")
@click.option(
    "--accel",
    type=click.Choice(get_args(Acceleration)),
    default="auto",
    show_default=True,
    help="Who executes the guest's instructions; auto decides from evidence.",
)
@click.option(
    "--rootfs-mode",
    type=click.Choice(get_args(RootfsMode)),
    help="What becomes of writes to the root file system; the image itself is never written.",
)
@click.option("--append", multiple=True, metavar="WORDS", help="More kernel arguments.")
@click.option("--boot-timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
    help="How long the boot may take; by default 30, and 120 under emulation.",
)  # fmt: skip
@click.option(
    "--console-log", type=click.Path(path_type=Path, dir_okay=False), help="Keep the console here."
)
@click.option("--verbose", "-v", is_flag=True, help="Tell what is decided, and why.")
def command(
    image: Path | None,
    words: tuple[str, ...],
    env: tuple[str, ...],
    cwd: str | None,
    cpus: int,
    memory_mib: int,
    network: bool,
    accel: Acceleration,
    rootfs_mode: RootfsMode | None,
    append: tuple[str, ...],
    boot_timeout: float | None,
    console_log: Path | None,
    verbose: bool,
) -> int:
    """Boot IMAGE, run a command in it, print what it prints, exit with its status.

    \b
    bootsmith exec ./my-assets -- uname -a
    tar c . | bootsmith exec -- tar t

    IMAGE is a folder; by default $BOOTSMITH_GUEST_DIR, $GONDOLIN_GUEST_DIR or
    ./bootsmith-image.
    """
    if not words:
        raise click.UsageError("there is no command: write it after --, as in: exec -- uname -a")
    options = VMOptions(
        cpus=cpus,
        memory_mib=memory_mib,
        network=network,
        acceleration=accel,
        rootfs_mode=rootfs_mode,
        boot_args=append,
        boot_timeout_s=boot_timeout,
        console_log=console_log,
    )
    with VM(
        image or default_image_folder(), options=options, reporter=Notes(verbose=verbose)
    ) as vm:
        result = vm.exec(
            words,
            env=_variables(env),
            cwd=cwd,
            stdin=read_chunks(STDIN) if is_open(STDIN) and not is_terminal(STDIN) else None,
            on_stdout=writer(STDOUT),
            on_stderr=writer(STDERR),
        )
    return result.exit_code


def _variables(pairs: tuple[str, ...]) -> dict[str, str]:
    variables = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint="--env")
        variables[name] = value
    return variables
