"""``bootsmith guest``: the programs that run inside a guest."""

from __future__ import annotations

from pathlib import Path

import click

from bootsmith.host.environment import host_arch
from bootsmith.host.guest_files import compile_agent
from bootsmith.model.arch import Arch


@click.group()
def command() -> None:
    """The programs that run inside a guest."""


@command.command("build", short_help="Make the guest agent again from its sources.")
@click.option("--arch", metavar="ARCH", help="x86_64 or aarch64; by default this machine's.")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), default="bootsmith-guest",
    show_default=True, help="The file to write it to.",
)  # fmt: skip
def build(arch: str | None, output: Path) -> None:
    """Make the guest agent again from the sources that come with bootsmith.

    Needs the Zig compiler of PyPI: pip install ziglang==0.15.2.
    """
    target = Arch.parse(arch) if arch else host_arch()
    compile_agent(output.absolute(), target)
    click.echo(f"{output}: the guest agent for {target}")
