"""``bootsmith schema``."""

from __future__ import annotations

import click

from bootsmith.config.schema_file import schema_text


@click.command()
def command() -> None:
    """Print the JSON Schema of a build config, for editors and other programs.

    \b
    bootsmith schema > bootsmith.schema.json
    and in the config: "$schema": "./bootsmith.schema.json"
    """
    click.echo(schema_text(), nl=False)
