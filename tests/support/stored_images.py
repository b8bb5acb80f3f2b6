"""Small images that are right in every respect that ``verify`` looks at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bootsmith.image.initramfs import write_initramfs
from bootsmith.manifest.manifest import (
    INITRAMFS_NAME,
    KERNEL_NAME,
    LOCK_NAME,
    MANIFEST_NAME,
    ROOTFS_NAME,
    Artifact,
    Manifest,
    decode_manifest,
    encode_manifest,
)
from bootsmith.model.arch import Arch
from bootsmith.model.digest import Digest
from bootsmith.model.streams import BytesSink
from tests.support.ext4_images import file_of, image_bytes, tree_of
from tests.support.kernel_shapes import arm64_image, bzimage
from tests.support.memory_blobs import MemoryBlobs

_NAMES = {"kernel": KERNEL_NAME, "initramfs": INITRAMFS_NAME, "rootfs": ROOTFS_NAME}


def write_small_image(
    folder: Path, text: str = "hello", *, arch: Arch = Arch.X86_64, **fields: Any
) -> Manifest:
    """An image whose root file system holds ``text`` and 4 MiB of nothing; returns its manifest.

    Images of one architecture share their kernel and initramfs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = _files(text, arch)
    for key, data in files.items():
        write_with_holes(folder / _NAMES[key], data)
    encoded = encode_manifest(_manifest(files, arch, fields))
    (folder / LOCK_NAME).write_text("{}\n")
    (folder / MANIFEST_NAME).write_bytes(encoded)
    return decode_manifest(encoded)


def build_id_of_small_image(text: str, *, arch: Arch) -> str:
    return _manifest(_files(text, arch), arch, {}).build_id


def write_with_holes(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        for start in range(0, len(data), 4096):
            block = data[start : start + 4096]
            if block.count(0) < len(block):
                file.seek(start)
                file.write(block)
        file.truncate(len(data))


def change_manifest(folder: Path, **fields: Any) -> None:
    """Put other values into the manifest; nothing else is made to fit them."""
    text = json.loads((folder / MANIFEST_NAME).read_text())
    (folder / MANIFEST_NAME).write_text(json.dumps({**text, **fields}))


def reseal(folder: Path) -> None:
    """Make the manifest's checksums, sizes and build id those of the files as they are."""
    manifest = decode_manifest((folder / MANIFEST_NAME).read_bytes())
    artifacts = {}
    for key, artifact in manifest.artifacts.items():
        data = (folder / artifact.name).read_bytes()
        artifacts[key] = replace(artifact, digest=Digest.of(data), size_bytes=len(data))
    (folder / MANIFEST_NAME).write_bytes(encode_manifest(replace(manifest, artifacts=artifacts)))


@lru_cache(maxsize=8)  # several MiB each
def _files(text: str, arch: Arch) -> Mapping[str, bytes]:
    tree = tree_of({b"hello.txt": file_of(text.encode())})
    initramfs = BytesSink()
    write_initramfs(tree_of({b"init": file_of(b"#!")}), blobs=MemoryBlobs(), sink=initramfs)
    files = {
        "kernel": bzimage(b"") if arch is Arch.X86_64 else arm64_image(),
        "initramfs": bytes(initramfs.data),
        "rootfs": image_bytes(tree, free_bytes=4 << 20),
    }
    return MappingProxyType(files)


def _manifest(files: Mapping[str, bytes], arch: Arch, fields: Mapping[str, Any]) -> Manifest:
    artifacts = {
        key: Artifact(name=_NAMES[key], digest=Digest.of(data), size_bytes=len(data))
        for key, data in files.items()
    }
    values: dict[str, Any] = {
        "arch": arch,
        "build_time": "2024-01-01T00:00:00Z",
        "artifacts": artifacts,
        "config": {"arch": arch.value, "distro": "debian"},
        "record": {"packages": {"hello": "1.0"}},
        **fields,
    }
    return Manifest(**values)
