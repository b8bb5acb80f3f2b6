"""The image that a checkpoint belongs to, wherever it lies by now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bootsmith.errors import ImageError, ImageNotFound
from bootsmith.host.paths import is_folder
from bootsmith.sdk.boot_files import BootFiles, files_of_folder
from bootsmith.sdk.selecting import select
from bootsmith.sdk.settings import image_folders


def files_with_build_id(build_id: str, *, near: Path) -> BootFiles:
    """The image with this id: in the library, among the default images, or in ``near``.

    Raises ``ImageNotFound`` naming the places that were searched.
    """
    try:
        return files_of_folder(select(build_id).folder)
    except ImageNotFound:
        searched = ["the library"]
    for folder in dict.fromkeys(_candidates(near)):
        if is_folder(folder):
            searched.append(str(folder))
            files = _files_or_none(folder)
            if files is not None and files.build_id() == build_id:
                return files
    raise ImageNotFound(
        f"the image with the build id {build_id} is not in {', '.join(searched)}",
        selector=build_id,
        hint="name the folder it lies in, or build it again from its lock",
    )


def _candidates(near: Path) -> Iterator[Path]:
    yield from image_folders()
    yield near


def _files_or_none(folder: Path) -> BootFiles | None:
    try:
        return files_of_folder(folder)
    except ImageError:
        # What lies there by chance need not be an image.
        return None
