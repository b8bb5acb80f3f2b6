"""Handing images out of the library, as a folder or as an archive."""

from __future__ import annotations

from pathlib import Path

from bootsmith.host.cloning import clone_file, link_file
from bootsmith.host.publish import publish_folder
from bootsmith.library.archive import is_archive_name, pack_image
from bootsmith.library.image_files import file_names
from bootsmith.manifest.image_place import require_image_place
from bootsmith.manifest.manifest import Manifest


def export_image(folder: Path, manifest: Manifest, target: Path, *, link: bool = False) -> None:
    """Put the image in ``folder`` at ``target``: an archive if its name says so, else a folder.

    A folder's files are the caller's own to write to; with ``link`` they are the library's,
    take no room and are read-only.  Both appear whole or not at all.  Raises ``HostError`` when
    a folder's files are not an image's.
    """
    if is_archive_name(target):
        pack_image(folder, manifest, target)
        return
    names = file_names(folder, manifest)
    require_image_place(target, names)
    with publish_folder(target, ours=names) as staging:
        for name in names:
            bring = link_file if link else clone_file
            bring(folder / name, staging / name)
