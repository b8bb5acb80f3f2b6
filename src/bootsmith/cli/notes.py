"""A reporter for commands that start at once: plain lines, no library to load."""

from __future__ import annotations

import click

from bootsmith.model.reporter import Silent


class Notes(Silent):
    """Warnings on standard error; with ``verbose`` also details."""

    def __init__(self, *, verbose: bool = False) -> None:
        self._verbose = verbose

    def warning(self, text: str) -> None:
        click.echo(click.style("warning: ", fg="yellow") + text, err=True)

    def detail(self, text: str) -> None:
        if self._verbose:
            click.echo(click.style(text, dim=True), err=True)
