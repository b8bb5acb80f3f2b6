"""``bootsmith verify``."""

from __future__ import annotations

from pathlib import Path

import click

from bootsmith.sdk.image import Image
from bootsmith.sdk.settings import default_image_folder


@click.command()
@click.argument("image", required=False, type=click.Path(path_type=Path))
def command(image: Path | None) -> int:
    """Check IMAGE: every checksum, the build id, the kernel and the root file system.

    IMAGE is a folder; by default $BOOTSMITH_GUEST_DIR, $GONDOLIN_GUEST_DIR or
    ./bootsmith-image.
    """
    opened = Image.open(image or default_image_folder())
    opened.verify()
    click.echo(f"{opened.folder}: all right, build id {opened.build_id}")
    return 0
