"""Trees to files: what the output folder will hold."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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


def write_artifacts(
    folder: Path,
    *,
    root: FileTree,
    initramfs: FileTree,
    kernel: Content,
    krun_kernel: Content | None = None,
    ext4: Ext4Options,
    blobs: BlobSource,
) -> dict[str, Artifact]:
    """Write kernel, initramfs and root file system into ``folder``, by their manifest keys.

    With ``krun_kernel`` also that, and the empty file that stands for its initramfs.
    Raises ``ImageFull`` when the root file system has a fixed size that is too small.
    """
    writers: dict[str, tuple[str, Callable[[ByteSink], object]]] = {
        "rootfs": (ROOTFS_NAME, lambda sink: write_ext4(root, ext4, blobs, sink)),
        "kernel": (KERNEL_NAME, lambda sink: write_content(kernel, blobs=blobs, sink=sink)),
        "initramfs": (
            INITRAMFS_NAME,
            lambda sink: write_initramfs(initramfs, blobs=blobs, sink=sink),
        ),
    }
    if krun_kernel is not None:
        writers["krunKernel"] = (
            KRUN_KERNEL_NAME,
            lambda sink: write_content(krun_kernel, blobs=blobs, sink=sink),
        )
        writers["krunInitrd"] = (KRUN_INITRD_NAME, lambda sink: None)
    written, synced = {}, []
    with ThreadPoolExecutor(1, thread_name_prefix="sync") as beside:
        for key, (name, write) in writers.items():
            with HashingSink(folder / name) as sink:
                write(sink)
            written[key] = (name, sink)
            # Publishing wants it on the disk; that and its digest come about while others are
            # written.
            synced.append(beside.submit(sync_file, folder / name))
        artifacts = {
            key: Artifact(name=name, digest=sink.digest(), size_bytes=sink.position)
            for key in ASSET_KEYS
            if key in written
            for name, sink in (written[key],)
        }
        for one in synced:
            one.result()
    return artifacts


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
