"""Everything that can be told of an image without booting it, as JSON."""

from __future__ import annotations

import json
from typing import Any

from bootsmith.host.disk_use import file_use
from bootsmith.library.image_files import read_manifest
from bootsmith.sdk.library import Library, Selected


def inspection(library: Library, selected: Selected) -> dict[str, Any]:
    """What the image ``selected`` is; ``manifest`` holds its manifest as it is.

    Values that the image does not tell are ``None``: an image of Gondolin's has no packages.
    """
    text, manifest = read_manifest(selected.folder)
    record, source = manifest.record, json.loads(text).get("ociSource")
    packages = record.get("packages")
    return {
        "buildId": manifest.build_id,
        "claimedBuildId": manifest.claimed_build_id,
        "names": [
            str(label.reference)
            for image in library.images()
            for label in image.labels
            if image.build_id == manifest.build_id
        ],
        "folder": str(selected.folder),
        "arch": str(manifest.arch),
        "distro": _text(manifest.config.get("distro")),
        "buildTime": manifest.build_time,
        "builder": _builder(record.get("builder")),
        "kernel": _package(record.get("kernel")),
        "packageCount": len(packages) if isinstance(packages, dict) else None,
        "origin": _origin(source),
        "rootfsMode": manifest.rootfs_mode,
        "assets": [
            {
                "key": key,
                "name": artifact.name,
                "digest": str(artifact.digest),
                "sizeBytes": use.apparent_bytes,
                "allocatedBytes": use.allocated_bytes,
            }
            for key, artifact in manifest.artifacts.items()
            for use in (file_use(selected.folder / artifact.name),)
        ],
        "manifest": json.loads(text),
    }


def _builder(found: object) -> str:
    version = found.get("version") if isinstance(found, dict) else None
    return f"bootsmith {version}" if isinstance(version, str) else "another builder"


def _package(found: object) -> str | None:
    if not isinstance(found, dict):
        return None
    return " ".join(str(found[key]) for key in ("package", "version") if key in found) or None


def _origin(source: object) -> str | None:
    """The container image it was made from, as Gondolin records it."""
    if not isinstance(source, dict):
        return None
    return _text(source.get("reference")) or _text(source.get("image"))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
