"""``bootsmith doctor``."""

from __future__ import annotations

import click

from bootsmith.sdk.doctor import Finding, Verdict, examine

_MARKS = {
    Verdict.GOOD: ("ok", "green"),
    Verdict.LIMITED: ("limited", "yellow"),
    Verdict.MISSING: ("missing", "red"),
}


@click.command()
def command() -> int:
    """Tell what this machine can do, each answer found by trying.

    The exit status is 1 when something is missing that building or booting needs.
    """
    is_complete = True
    for finding in examine():
        _show(finding)
        is_complete = is_complete and finding.verdict is not Verdict.MISSING
    return 0 if is_complete else 1


def _show(finding: Finding) -> None:
    word, colour = _MARKS[finding.verdict]
    click.echo(f"{click.style(f'{word:8}', fg=colour)} {finding.subject}: {finding.text}")
    if finding.fix:
        click.echo(f"{'':8} → {finding.fix}")
