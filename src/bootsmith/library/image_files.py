"""Which files make an image: what its manifest names, the manifest itself, and our lock."""

from __future__ import annotations

from pathlib import Path

from bootsmith.errors import ImageError
from bootsmith.host.files import is_plain_file, read_whole
from bootsmith.manifest.manifest import LOCK_NAME, MANIFEST_NAME, Manifest, decode_manifest


def read_manifest(folder: Path) -> tuple[bytes, Manifest]:
    """The manifest of the image in ``folder``, as text too.

    Raises ``ImageError`` when there is none or it is wrong.
    """
    path = folder / MANIFEST_NAME
    if not is_plain_file(path):
        raise ImageError(
            f"there is no image in {folder}: {MANIFEST_NAME} is missing or no file",
            hint="name a folder that bootsmith build or gondolin build has made",
        )
    text = read_whole(path)
    return text, decode_manifest(text)


def file_names(folder: Path | None, manifest: Manifest) -> tuple[str, ...]:
    """The names of an image's files, the manifest last.

    With ``folder`` the lock, which Gondolin's images do not have, is named only if it is there.
    """
    names = tuple(artifact.name for artifact in manifest.artifacts.values())
    has_lock = folder is None or is_plain_file(folder / LOCK_NAME)
    return (*names, *((LOCK_NAME,) if has_lock else ()), MANIFEST_NAME)
