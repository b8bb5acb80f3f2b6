"""The initramfs: one program, the modules it loads, and the folders it mounts on.

Its init reads ``/modules.load``, waits for the root device, mounts it on ``/newroot`` and
moves there (``guest/``).  The kernel itself opens ``/dev/console`` before init runs.
"""

from __future__ import annotations

from collections.abc import Sequence

from bootsmith.image.boot_modules import LOAD_LIST, load_list
from bootsmith.image.compression import CompressingSink, Compression
from bootsmith.image.cpio import write_cpio
from bootsmith.image.kernel_modules import LoadedModule
from bootsmith.model.guest_path import GuestPath, ancestors, guest_path
from bootsmith.model.streams import BlobSource, ByteSink
from bootsmith.tree.device_nodes import device_node
from bootsmith.tree.entry import (
    Content,
    Directory,
    Entry,
    InlineBytes,
    Metadata,
    RegularFile,
)
from bootsmith.tree.file_tree import FileTree

_FOLDERS = ("", "dev", "newroot", "proc", "sys")
_FOLDER = Directory(Metadata(0o755))
_PLAIN = Metadata(0o644)
_CONSOLE = device_node("console", Metadata(0o600))


def initramfs_tree(*, init: Content, modules: Sequence[LoadedModule], release: str) -> FileTree:
    """The initramfs of the kernel ``release``; ``modules`` in the order in which they load.

    Everything belongs to root and bears no time.
    """
    entries: dict[GuestPath, Entry] = {guest_path(name): _FOLDER for name in _FOLDERS}
    entries[guest_path("dev/console")] = _CONSOLE
    entries[guest_path("init")] = RegularFile(Metadata(0o755), init)
    names = load_list(modules, release=release)
    entries[guest_path(LOAD_LIST)] = RegularFile(_PLAIN, InlineBytes(names))
    for module in modules:
        path = guest_path(f"lib/modules/{release}/{module.path}")
        entries[path] = RegularFile(_PLAIN, module.content)
    for path in tuple(entries):
        entries |= {folder: _FOLDER for folder in ancestors(path) if folder not in entries}
    return FileTree(entries)


def write_initramfs(
    tree: FileTree,
    *,
    blobs: BlobSource,
    sink: ByteSink,
    compression: Compression = Compression.LZ4,
) -> None:
    """Write ``tree`` as the kernel unpacks it: the same tree, the same bytes."""
    compressing = CompressingSink(sink, compression)
    write_cpio(tree, blobs=blobs, sink=compressing)
    compressing.finish()
