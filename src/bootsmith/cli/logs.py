"""``bootsmith logs``."""

from __future__ import annotations

import click

from bootsmith.host.standard_streams import STDOUT, is_terminal, writer
from bootsmith.model.plain_text import TextOfStream
from bootsmith.sdk.machines import machine_log


@click.command()
@click.argument("machine", metavar="ID")
@click.option("--follow", "-f", is_flag=True, help="Go on until the machine ends.")
def command(machine: str, follow: bool) -> None:
    """Print what the guest of a machine has printed on its console.

    ID is the id of the machine, the beginning of it, or its name.  The last 8 to 16 MiB are
    kept.  At a terminal it is shown as text; a file or pipe gets it byte for byte.
    """
    write = writer(STDOUT)
    shown = TextOfStream() if is_terminal(STDOUT) else None
    for data in machine_log(machine, follow=follow):
        write(data if shown is None else shown.feed(data))
    if shown is not None:
        write(shown.rest())
