"""``bootsmith verify``."""

from __future__ import annotations

from pathlib import Path

import click

from bootsmith.cli.notes import Notes, note_if_long
from bootsmith.model.plain_text import plain_text
from bootsmith.sdk.image import Image
from bootsmith.sdk.settings import default_image_folder


@click.command()
@click.argument("image", required=False, type=click.Path(path_type=Path))
@click.option("--boot", is_flag=True, help="Boot it, too, and see whether its shell answers.")
@click.option("--verbose", "-v", is_flag=True, help="Tell what is decided, and why.")
def command(image: Path | None, boot: bool, verbose: bool) -> None:
    """Check IMAGE: every checksum, the build id, the kernel and the root file system.

    \b
    bootsmith verify ./my-assets
    bootsmith verify --boot tools:1.0

    IMAGE is a folder, a build id or a name; by default $BOOTSMITH_GUEST_DIR,
    $GONDOLIN_GUEST_DIR or ./bootsmith-image.
    """
    if image is not None:
        opened = verify_image(image)
    else:
        with default_image_folder() as folder:
            opened = verify_image(folder)
    if boot:
        from bootsmith.sdk.trial import try_image  # most checks boot nothing

        with note_if_long(opened.arch):
            answer = try_image(opened.folder, reporter=Notes(verbose=verbose))
        click.echo(plain_text(f"{opened.folder}: {answer}"))


def verify_image(folder: Path) -> Image:
    """Check the image in ``folder`` and say that it is all right.  Raises what ``verify`` does."""
    opened = Image.open(folder)
    opened.verify()
    click.echo(f"{opened.folder}: all right, build id {opened.build_id}")
    return opened
