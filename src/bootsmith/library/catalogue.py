"""What is in the library: every image with its names and the room it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bootsmith.errors import BootsmithError
from bootsmith.host.disk_use import DiskUse, disk_use, written_s
from bootsmith.library.image_files import read_manifest
from bootsmith.library.shelf import Label, Shelf
from bootsmith.manifest.manifest import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """An image of the library.

    ``labels`` are its names, sorted; ``added_s`` is when it came into the library, in seconds
    since 1970.  ``manifest`` is ``None`` for a damaged one, and ``problem`` says why.
    """

    build_id: str
    folder: Path
    labels: tuple[Label, ...]
    use: DiskUse
    added_s: int
    manifest: Manifest | None = None
    problem: str | None = None


def stored_images(shelf: Shelf) -> Iterator[StoredImage]:
    """All images, by name; those without one come last, by build id."""
    labels: dict[str, list[Label]] = {}
    for label in shelf.labels():
        labels.setdefault(label.build_id, []).append(label)
    found = [_stored(shelf, one, tuple(labels.get(one, ()))) for one in shelf.build_ids()]
    yield from sorted(found, key=lambda one: (not one.labels, one.labels, one.build_id))


def total_use(shelf: Shelf) -> DiskUse:
    """The room all images take together; a file that several of them share counts once."""
    return disk_use(shelf.object_folder(one) for one in shelf.build_ids())


def broken_labels(shelf: Shelf) -> tuple[Label, ...]:
    """Names whose image is gone."""
    return tuple(label for label in shelf.labels() if not shelf.holds(label.build_id))


def _stored(shelf: Shelf, build_id: str, labels: tuple[Label, ...]) -> StoredImage:
    folder = shelf.object_folder(build_id)
    manifest, problem = None, None
    try:
        _, manifest = read_manifest(folder)
    except BootsmithError as error:
        problem = str(error)
    else:
        if manifest.build_id != build_id:
            problem = f"its manifest is that of {manifest.build_id}"
    return StoredImage(
        build_id=build_id,
        folder=folder,
        labels=labels,
        use=disk_use([folder]),
        added_s=written_s(folder),
        manifest=manifest,
        problem=problem,
    )
