"""``bootsmith list``."""

from __future__ import annotations

import json

import click

from bootsmith.model.plain_text import plain_text
from bootsmith.sdk.machines import machines, now_s
from bootsmith.vm.kept.record import Record, State

_HEADER = ("ID", "NAME", "STATE", "SINCE", "CPUS", "MEMORY", "IMAGE")


@click.command()
@click.option("--quiet", "-q", is_flag=True, help="Print the ids of those that run, and no more.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(quiet: bool, as_json: bool) -> None:
    """List the machines that run on by themselves (run --detach).

    One that has ended unasked stays in the list for a day, with the reason and its log, or
    until it is stopped.
    """
    found = machines().all(now_s=now_s())
    if as_json:
        click.echo(json.dumps([record.as_json() for record in found], indent=2))
    elif quiet:
        for record in found:
            if record.state is State.RUNNING:
                click.echo(record.id)
    else:
        _show(found)


def _show(records: list[Record]) -> None:
    rows = [_HEADER, *(_row(record) for record in records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    for row, record in zip(rows, [None, *records], strict=True):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(plain_text("  ".join(cells).rstrip()))
        if record is not None and record.ending is not None:
            click.echo(plain_text(f"{'':10}{record.ending}"))


def _row(record: Record) -> tuple[str, ...]:
    return (
        record.id,
        record.name or "",
        str(record.state),
        _age(now_s() - (record.ended_s or record.started_s)),
        str(record.cpus or ""),
        f"{record.memory_mib} MiB",
        record.image,
    )


def _age(seconds: int) -> str:
    for name, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {name}"
    return f"{max(seconds, 0)} s"
