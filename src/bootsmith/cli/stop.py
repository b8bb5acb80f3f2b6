"""``bootsmith stop``."""

from __future__ import annotations

import click

from bootsmith.cli.machine_options import parse_seconds
from bootsmith.sdk.machines import stop_machine


@click.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--kill", is_flag=True, help="Pull the plug; what is not written yet is lost.")
@click.option(
    "--timeout", "timeout_s", type=parse_seconds, metavar="SECONDS", default=10.0,
    show_default=True,
    help="How long the guest may take before the plug is pulled.",
)  # fmt: skip
def command(ids: tuple[str, ...], kill: bool, timeout_s: float) -> None:
    """Have machines write everything to their disks and power off, and forget them.

    ID is the id of a machine, the beginning of it, or its name.  What a machine has written to
    its root file system is gone with it.
    """
    for word in ids:
        record = stop_machine(word, timeout_s=0 if kill else timeout_s)
        if record.ending is not None:
            click.echo(f"{record.label} had ended already: {record.ending}", err=True)
