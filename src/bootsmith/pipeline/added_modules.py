"""Modules that the kernel's package does not bring: another package's, or the user's own.

The index of a kernel's modules that an image gets is the kernel package's, or made of what that
package holds.  Where the finished tree has more, modprobe would not find it.
"""

from __future__ import annotations

from bootsmith.errors import ArchiveError
from bootsmith.image.boot_modules import LOAD_LIST, module_index_layer
from bootsmith.image.kernel_modules import KernelModules, LoadedModule
from bootsmith.model.guest_path import GuestPath, display, name, parent
from bootsmith.model.reporter import Reporter
from bootsmith.model.streams import BlobSource
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer, overlay
from bootsmith.tree.normalise import set_layer_times


def index_added_modules(
    tree: FileTree, modules: Layer, *, epoch_s: int, blobs: BlobSource, reporter: Reporter
) -> FileTree:
    """``tree`` with an index of all its modules, if it has others than those that are listed.

    ``modules`` is what ``tree`` was given for its kernel; without any, its index is its own
    business.
    """
    release = _release(modules)
    if release is None:
        return tree
    found = KernelModules(tree, blobs=blobs, release=release)
    listed = {line.partition(":")[0] for line in found.text("modules.dep").splitlines()}
    added = [module.path for module in found if module.path not in listed]
    if not added:
        return tree
    reporter.detail(f"indexing the modules of {release} anew, with {', '.join(added)}")
    layer = module_index_layer(found, _described(found, reporter))
    return overlay(tree, set_layer_times(layer, epoch_s=epoch_s))


def _described(modules: KernelModules, reporter: Reporter) -> list[LoadedModule]:
    described = []
    for module in modules:
        try:
            described.append(modules.describe(module))
        except ArchiveError as error:
            reporter.warning(f"{module.path} of {modules.release} is no kernel module: {error}")
    return described


def _release(modules: Layer) -> str | None:
    folders = [parent(path) for path, _ in modules.members if _is_load_list(path)]
    return display(name(folders[0])) if folders else None


def _is_load_list(path: GuestPath) -> bool:
    return name(path) == LOAD_LIST.encode()
