"""Trees to files: what the output folder will hold."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path

from bootsmith.config.build_config import RootfsConfig
from bootsmith.host.hashing_sink import HashingSink
from bootsmith.host.publish import sync_file
from bootsmith.image.ext4 import Ext4Options, Profile, write_ext4
from bootsmith.image.initramfs import write_initramfs
from bootsmith.manifest.manifest import (
    ASSET_KEYS,
    INITRAMFS_NAME,
    KERNEL_NAME,
    KRUN_INITRD_NAME,
    KRUN_KERNEL_NAME,
    ROOTFS_NAME,
    Artifact,
)
from bootsmith.model.streams import BlobSource, ByteSink
from bootsmith.plan.build_plan import BuildPlan
from bootsmith.tree.contents import write_content
from bootsmith.tree.entry import Content
from bootsmith.tree.file_tree import FileTree

_MIB = 1 << 20


class ArtifactFiles:
    """The files of one image, written into ``folder`` in any order, from any thread.

    Publishing wants them on the disk, which ``beside`` is given to do, and the manifest their
    digests: both come about while others are written.
    """

    def __init__(self, folder: Path, *, blobs: BlobSource, beside: Executor) -> None:
        self._folder = folder
        self._blobs = blobs
        self._beside = beside
        self._written: dict[str, tuple[HashingSink, Future[None]]] = {}

    def write_kernel(self, kernel: Content) -> None:
        self._write(
            "kernel",
            KERNEL_NAME,
            lambda sink: write_content(kernel, blobs=self._blobs, sink=sink),
        )

    def write_initramfs(self, tree: FileTree) -> None:
        self._write(
            "initramfs",
            INITRAMFS_NAME,
            lambda sink: write_initramfs(tree, blobs=self._blobs, sink=sink),
        )

    def write_rootfs(self, tree: FileTree, options: Ext4Options) -> None:
        """Raises ``ImageFull`` when the root file system has a fixed size that is too small."""
        self._write(
            "rootfs", ROOTFS_NAME, lambda sink: write_ext4(tree, options, self._blobs, sink)
        )

    def write_krun(self, kernel: Content) -> None:
        """The kernel for libkrun, and the empty file that stands for its initramfs."""
        self._write(
            "krunKernel",
            KRUN_KERNEL_NAME,
            lambda sink: write_content(kernel, blobs=self._blobs, sink=sink),
        )
        self._write("krunInitrd", KRUN_INITRD_NAME, lambda sink: None)

    def finished(self) -> dict[str, Artifact]:
        """What was written, by its key in the manifest, once all of it is on the disk."""
        artifacts = {}
        for key in ASSET_KEYS:
            if key in self._written:
                sink, synced = self._written[key]
                synced.result()
                artifacts[key] = Artifact(
                    name=sink.path.name, digest=sink.digest(), size_bytes=sink.position
                )
        return artifacts

    def _write(self, key: str, name: str, write: Callable[[ByteSink], object]) -> None:
        with HashingSink(self._folder / name) as sink:
            write(sink)
        self._written[key] = (sink, self._beside.submit(sync_file, sink.path))


def ext4_options(config: RootfsConfig, plan: BuildPlan, *, epoch_s: int) -> Ext4Options:
    """How the root file system is made; its UUID and hash seed follow from the plan.

    A size that is fixed needs no free space: what is left of it is free.
    """
    takes_what_it_needs = config.size_mb is None and config.profile == "rw"
    return Ext4Options(
        uuid=plan.derived_uuid("rootfs").bytes,
        hash_seed=plan.derived_uuid("hash seed").bytes,
        created_s=max(epoch_s, 0),
        label=config.label,
        profile=Profile(config.profile),
        size_bytes=config.size_mb * _MIB if config.size_mb else None,
        free_bytes=config.free_mb * _MIB if takes_what_it_needs else 0,
    )
