"""Checking a finished image: everything its manifest says is computed again from the files."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bootsmith.errors import HostError, Problem
from bootsmith.host.files import FileSource, is_plain_file, sha256_of
from bootsmith.manifest.manifest import Artifact, Manifest
from bootsmith.model.digest import Digest
from bootsmith.pipeline.asset_formats import (
    initramfs_problems,
    kernel_problems,
    krun_initrd_problems,
    krun_kernel_problems,
    rootfs_problems,
)


def image_problems(folder: Path, manifest: Manifest) -> tuple[Problem, ...]:
    """Everything about the image that is not as ``manifest`` says; nothing when it is right.

    Checksums and sizes of all assets, the build id, that no asset is a link to somewhere else,
    that the kernels are for the image's architecture, and that initramfs and root file system
    are such.
    """
    problems: list[Problem] = []
    digests: dict[str, Digest] = {}
    with ThreadPoolExecutor(2) as pool:
        checks = {
            key: pool.submit(_check_file, folder, key, artifact)
            for key, artifact in manifest.artifacts.items()
        }
        for key, check in checks.items():
            digest, found = check.result()
            problems += found
            if digest is not None:
                digests[key] = digest
    problems += _check_build_id(manifest)
    for key, check_format in (
        ("kernel", lambda path: kernel_problems(path, manifest.arch)),
        ("initramfs", initramfs_problems),
        ("rootfs", rootfs_problems),
        ("krunKernel", lambda path: krun_kernel_problems(path, manifest.arch)),
        ("krunInitrd", krun_initrd_problems),
    ):
        if key in digests:
            problems += check_format(folder / manifest.artifacts[key].name)
    return tuple(problems)


def _check_file(folder: Path, key: str, artifact: Artifact) -> tuple[Digest | None, list[Problem]]:
    pointer = f"assets.{key}"
    path = folder / artifact.name
    if not is_plain_file(path):
        return None, [Problem(pointer=pointer, message=f"{artifact.name} is missing or no file")]
    try:
        with FileSource(path) as source:
            digest, size_bytes = sha256_of(source), source.size_bytes
    except HostError as error:
        return None, [Problem(pointer=pointer, message=str(error))]
    if artifact.size_bytes not in (None, size_bytes):
        message = f"{artifact.name} has {size_bytes} bytes, not {artifact.size_bytes}"
        return digest, [Problem(pointer=f"bootsmith.sizes.{key}", message=message)]
    if digest != artifact.digest:
        message = f"{artifact.name} has the digest {digest}, the manifest says {artifact.digest}"
        return digest, [Problem(pointer=f"checksums.{key}", message=message)]
    return digest, []


def _check_build_id(manifest: Manifest) -> Iterator[Problem]:
    if manifest.claimed_build_id != manifest.build_id:
        yield Problem(
            pointer="buildId",
            message=f"claims {manifest.claimed_build_id}, the checksums give {manifest.build_id}",
        )
