"""``bootsmith stop``."""

from __future__ import annotations

import click

from bootsmith.cli.machine_options import parse_seconds
from bootsmith.errors import BootsmithError, VMError
from bootsmith.sdk.machines import stop_machine


@click.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--kill", is_flag=True, help="Pull the plug; what is not written yet is lost.")
@click.option(
    "--timeout", "timeout_s", type=parse_seconds, metavar="SECONDS", default="10",
    show_default=True,
    help="How long the guest may take before the plug is pulled.",
)  # fmt: skip
def command(ids: tuple[str, ...], kill: bool, timeout_s: float) -> None:
    """Have machines write everything to their disks and power off, and forget them.

    ID is the id of a machine, the beginning of it, or its name.  What a machine has written to
    its root file system is gone with it.
    """
    failures: list[BootsmithError] = []
    for word in dict.fromkeys(ids):
        try:
            record = stop_machine(word, timeout_s=0 if kill else timeout_s)
        except BootsmithError as error:
            failures.append(error)  # the others are stopped all the same
            continue
        if record.ending is not None:
            click.echo(f"{record.label} had ended already: {record.ending}", err=True)
    if len(failures) > 1:
        raise VMError("\n".join(map(str, failures)), hint=failures[0].hint)
    if failures:
        raise failures[0]
