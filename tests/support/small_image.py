"""A small image with a distribution's own kernel, for any architecture, without running any of it.

It is Debian's kernel and one static program of Debian's, busybox, with our agent around them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bootsmith.image.ext4 import Ext4Options
from bootsmith.model.arch import Arch
from bootsmith.model.guest_path import guest_path
from bootsmith.model.reporter import Silent
from bootsmith.pipeline.artifacts import ArtifactFiles
from bootsmith.pipeline.boot_layer import boot_layer
from bootsmith.pipeline.guest_layer import add_guest
from bootsmith.pipeline.guest_programs import guest_files
from bootsmith.tree.entry import Directory, Entry, Metadata, Symlink
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer, Member, overlay
from bootsmith.tree.normalise import clamp_times
from tests.support.foreign_debian import foreign_debian

_APPLETS = ("cat", "false", "mkdir", "sh", "sleep", "true", "uname")
_FOLDERS = ("bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "usr", "usr/bin")
_EPOCH_S = 1_700_000_000


def write_small_image(folder: Path, arch: Arch) -> Path:
    """Make the image in ``folder``: kernel, initramfs and root file system, and no manifest."""
    debian = foreign_debian(arch, folder)
    request, store = debian.request, debian.store
    guest = guest_files(request, store=store, base=folder)
    boot = boot_layer(
        debian.kernel,
        request.config.kernel,
        arch=arch,
        image=None,
        init=guest.initramfs_init,
        blobs=store,
    ).dated(_EPOCH_S)
    root = overlay(_root(debian.busybox), boot.modules)
    root = add_guest(root, guest, request, epoch_s=_EPOCH_S, reporter=Silent())
    folder.mkdir()
    with ThreadPoolExecutor(1) as beside:
        files = ArtifactFiles(folder, blobs=store, beside=beside)
        files.write_kernel(boot.kernel)
        files.write_initramfs(boot.initramfs)
        files.write_rootfs(
            clamp_times(root, epoch_s=_EPOCH_S),
            Ext4Options(
                uuid=bytes(15) + b"\1", hash_seed=bytes(16), created_s=_EPOCH_S, free_bytes=32 << 20
            ),
        )
        files.finished()
    return folder


def _root(busybox: Layer) -> FileTree:
    entries: dict[str, Entry] = {name: Directory(Metadata(0o755)) for name in _FOLDERS}
    entries |= {f"bin/{name}": Symlink(Metadata(0o777), b"busybox") for name in _APPLETS}
    members = tuple(Member(guest_path(path), entry) for path, entry in sorted(entries.items()))
    return overlay(overlay(FileTree(), Layer(members)), busybox)
