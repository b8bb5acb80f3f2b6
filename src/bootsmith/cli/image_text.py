"""How the library and its images are shown: tables, lines, JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bootsmith.cli.sizes import size_text
from bootsmith.model.plain_text import plain_text
from bootsmith.sdk.library import DiskUse, Label, StoredImage, Taken

_HEAD = ("NAME", "ARCH", "BUILD ID", "SIZE", "ON DISK", "ADDED", "")
_RIGHT = {3, 4}
_DAMAGED = "damaged"


def library_table(
    images: Sequence[StoredImage], problems: Mapping[str, Sequence[str]], total: DiskUse
) -> Iterator[str]:
    """One line a name, aligned; then what is wrong with whom, and the sum."""
    rows = [_HEAD, *(row for image in images for row in _rows(image, problems[image.build_id]))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for row in rows:
        cells = (
            text.rjust(width) if column in _RIGHT else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        yield _one_line("  ".join(cells).rstrip())
    for image in images:
        for problem in problems[image.build_id]:
            yield _one_line(f"{image.build_id}: {problem}")
    count = "1 image" if len(images) == 1 else f"{len(images)} images"
    yield f"{count}, {size_text(total.allocated_bytes)} on disk"


def stored_fields(image: StoredImage, problems: Sequence[str]) -> dict[str, Any]:
    """An image of the library as ``image ls --json`` tells it."""
    return {
        "buildId": image.build_id,
        "names": [{"name": str(label.reference), "arch": label.arch} for label in image.labels],
        "arch": str(image.manifest.arch) if image.manifest else None,
        "addedTime": datetime.fromtimestamp(image.added_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "buildTime": image.manifest.build_time if image.manifest else None,
        "folder": str(image.folder),
        "sizeBytes": image.use.apparent_bytes,
        "allocatedBytes": image.use.allocated_bytes,
        "problems": list(problems),
    }


def taken_text(taken: Taken, names: Sequence[str]) -> str:
    """What became of an image that was to be taken in."""
    called = f", called {' and '.join(names)}" if names else ""
    return f"{taken.manifest.build_id} ({taken.manifest.arch}): {taken.outcome.value}{called}"


def moved_lines(before: Iterable[Label], after: Iterable[Label]) -> Iterator[str]:
    """A line for each name that means another image than it did ``before``."""
    now = {(label.reference, label.arch): label.build_id for label in after}
    for label in sorted(before):
        if now.get((label.reference, label.arch), label.build_id) != label.build_id:
            yield f"{label.reference} moved here from the image {label.build_id}"


def image_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """An inspection (``sdk.inspection``) for people."""
    width = 12
    for title, value in (
        ("build id", found["buildId"]),
        ("names", ", ".join(found["names"])),
        ("arch", found["arch"]),
        ("distro", found["distro"]),
        ("as of", found["buildTime"]),
        ("by", found["builder"]),
        ("linux", found["kernel"]),
        ("packages", found["packageCount"]),
        ("from", found["origin"]),
        ("root mode", found["rootfsMode"]),
        ("folder", found["folder"]),
    ):
        if value not in (None, ""):
            yield _one_line(f"{title:{width}} {value}")
    for asset in found["assets"]:
        sizes = f"{size_text(asset['sizeBytes'])}, {size_text(asset['allocatedBytes'])} on disk"
        yield f"{asset['key']:{width}} {asset['name']}: {sizes}"
        yield f"{'':{width}} {asset['digest']}"


def _one_line(text: str) -> str:
    """Manifests come from strangers: what they say must not control the terminal, nor look like
    another line of the table."""
    return plain_text(text).replace("\n", "\ufffd")


def _rows(image: StoredImage, problems: Sequence[str]) -> Iterator[tuple[str, ...]]:
    manifest = image.manifest
    names = [(str(label.reference), label.arch) for label in image.labels]
    for name, arch in names or [("-", str(manifest.arch) if manifest else "?")]:
        yield (
            name,
            arch,
            image.build_id[:13],
            size_text(image.use.apparent_bytes),
            size_text(image.use.allocated_bytes),
            datetime.fromtimestamp(image.added_s, UTC).astimezone().strftime("%Y-%m-%d"),
            _DAMAGED if problems else "",
        )
