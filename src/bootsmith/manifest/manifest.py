"""``manifest.json``: what an image folder holds and what it was made from.

Version 1 of the format that Gondolin's host reads; keys it does not know are ignored by it,
so ours (``bootsmith``) stand beside.  Read without pydantic: starting a VM needs this file
and should not wait for a schema library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bootsmith.errors import ConfigError, ImageError, UnsafePath
from bootsmith.model.arch import Arch
from bootsmith.model.canonical_json import canonical_json
from bootsmith.model.digest import Digest

MANIFEST_NAME = "manifest.json"
KERNEL_NAME = "vmlinuz-virt"
INITRAMFS_NAME = "initramfs.cpio.lz4"
ROOTFS_NAME = "rootfs.ext4"
KRUN_KERNEL_NAME = "krun-kernel"
KRUN_INITRD_NAME = "krun-empty-initrd"
LOCK_NAME = "bootsmith.lock.json"

ASSET_KEYS = ("kernel", "initramfs", "rootfs", "krunKernel", "krunInitrd")
"""What an image may consist of, in the order of the manifest."""

_REQUIRED = ("kernel", "initramfs", "rootfs")
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file of the image: its name in the folder and what its bytes are."""

    name: str
    digest: Digest
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What ``manifest.json`` says.  ``artifacts`` is keyed as ``assets`` is in the file.

    ``record`` holds what only bootsmith writes: plan id, inputs, tools, warnings.
    """

    arch: Arch
    build_time: str
    artifacts: Mapping[str, Artifact]
    config: Mapping[str, Any]
    rootfs_mode: str | None = None
    claimed_build_id: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def build_id(self) -> str:
        """Computed from the checksums, whatever the file claims."""
        from bootsmith.manifest.build_id import build_id  # booting an image does not need its id

        digests = {key: artifact.digest for key, artifact in self.artifacts.items()}
        return str(build_id(digests, self.arch))

    @property
    def plan_id(self) -> str | None:
        """The id of the plan that made the image, if bootsmith made it."""
        plan = self.record.get("planId")
        return plan if isinstance(plan, str) else None


def encode_manifest(manifest: Manifest) -> bytes:
    """The text of ``manifest.json``; the same manifest gives the same bytes."""
    fields: dict[str, Any] = {
        "version": _VERSION,
        "buildId": manifest.build_id,
        "config": {**manifest.config, "arch": manifest.arch.value},
        "buildTime": manifest.build_time,
        "assets": {key: item.name for key, item in manifest.artifacts.items()},
        "checksums": {key: item.digest.hex for key, item in manifest.artifacts.items()},
    }
    if manifest.rootfs_mode is not None:
        fields["runtimeDefaults"] = {"rootfsMode": manifest.rootfs_mode}
    sizes = {
        key: item.size_bytes
        for key, item in manifest.artifacts.items()
        if item.size_bytes is not None
    }
    fields["bootsmith"] = {**manifest.record, "sizes": sizes}
    canonical_json(fields)  # refuses floats and the like
    return (json.dumps(fields, indent=2, sort_keys=False, ensure_ascii=False) + "\n").encode()


def decode_manifest(data: bytes) -> Manifest:
    """The manifest in ``data``.

    Raises ``ImageError`` naming the field that is wrong, ``UnsafePath`` for an asset outside
    the image's folder.
    """
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{MANIFEST_NAME} is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise ImageError(f"{MANIFEST_NAME} does not hold an object")
    if fields.get("version") != _VERSION:
        raise ImageError(
            f"{MANIFEST_NAME} has version {fields.get('version')!r}, only {_VERSION} is known",
            hint="upgrade bootsmith if the image is newer than it",
        )
    config = _object(fields, "config")
    record = fields.get("bootsmith", {})
    record = dict(record) if isinstance(record, dict) else {}
    sizes = record.pop("sizes", {})
    defaults = fields.get("runtimeDefaults")
    mode = defaults.get("rootfsMode") if isinstance(defaults, dict) else None
    return Manifest(
        arch=_arch(config),
        build_time=str(fields.get("buildTime", "")),
        artifacts=_artifacts(fields, sizes if isinstance(sizes, dict) else {}),
        config=config,
        rootfs_mode=mode if isinstance(mode, str) else None,
        claimed_build_id=_text_or_none(fields.get("buildId")),
        record=record,
    )


def _artifacts(fields: Mapping[str, Any], sizes: Mapping[str, Any]) -> dict[str, Artifact]:
    assets, checksums = _object(fields, "assets"), _object(fields, "checksums")
    found = {}
    for key in ASSET_KEYS:
        if key not in assets and key not in _REQUIRED:
            continue
        name, checksum = assets.get(key), checksums.get(key)
        if not isinstance(name, str) or not name:
            raise ImageError(f"{MANIFEST_NAME}: assets.{key} is missing")
        if name in (".", "..") or not _NAME.fullmatch(name):
            raise UnsafePath(
                f"{MANIFEST_NAME}: assets.{key} is {name!r}, which is not a plain file name",
                member=name,
                hint="the image was tampered with, or not made by a known builder",
            )
        if not isinstance(checksum, str):
            raise ImageError(f"{MANIFEST_NAME}: checksums.{key} is missing")
        size = sizes.get(key)
        found[key] = Artifact(
            name=name,
            digest=_checksum(key, checksum),
            size_bytes=size if isinstance(size, int) else None,
        )
    return found


def _checksum(key: str, checksum: str) -> Digest:
    try:
        return Digest.sha256(checksum)
    except ImageError as error:
        raise ImageError(f"{MANIFEST_NAME}: checksums.{key} is {error}") from error


def _object(fields: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = fields.get(key)
    if not isinstance(value, dict):
        raise ImageError(f"{MANIFEST_NAME}: {key} is missing or no object")
    return value


def _arch(config: Mapping[str, Any]) -> Arch:
    value = config.get("arch")
    if not isinstance(value, str):
        raise ImageError(f"{MANIFEST_NAME}: config.arch is missing")
    try:
        return Arch.parse(value)
    except ConfigError as error:
        raise ImageError(f"{MANIFEST_NAME}: config.arch: {error.problems[0].message}") from error


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None
