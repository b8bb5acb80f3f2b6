"""The modules a kernel's package brings, and the order in which those that are wanted load.

Nothing here is known of particular kernels: whether a driver is built in, a module, or absent
is read from the package's own ``modules.builtin`` and files, and what a module needs from the
module itself (Debian's packages bring no ``modules.dep``; depmod makes it on installation).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from bootsmith.errors import ImageError
from bootsmith.image.decompression import decompressed
from bootsmith.image.module_info import (
    ModuleInfo,
    canonical,
    module_info,
    module_name,
    module_symbols,
    softdep_before,
)
from bootsmith.model.guest_path import GuestPath, display, guest_path, name, parent
from bootsmith.model.streams import BlobSource
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import Content, Directory, HardLink, InlineBytes, RegularFile
from bootsmith.tree.file_tree import FileTree

_MODULE_FOLDERS = (GuestPath(b"lib/modules"), GuestPath(b"usr/lib/modules"))
_SUFFIXES = (".ko", ".ko.xz", ".ko.zst", ".ko.gz")


class Module(NamedTuple):
    """``path`` is relative to the release's folder (``kernel/fs/fuse/fuse.ko.xz``)."""

    name: str
    path: str
    file: RegularFile


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModule:
    """A module on its way into an image: uncompressed, its suffix ``.ko``."""

    name: str
    path: str
    content: Content
    info: ModuleInfo


class KernelModules:
    """What one kernel release offers, built in or as modules."""

    def __init__(self, tree: FileTree, *, blobs: BlobSource, release: str | None = None) -> None:
        """``tree`` holds the kernel's package; ``release`` chooses when it holds several.

        Raises ``ImageError`` when there are no modules of that release, or of several.
        """
        folder = _release_folder(tree, release)
        self.release = display(name(folder))
        self.blobs = blobs
        self._files = dict(_files_below(tree, folder))
        # In sorted order "updates/" comes after "kernel/" and so wins, as with depmod.
        self._modules = {
            module_name(path): Module(module_name(path), path, file)
            for path, file in self._files.items()
            if path.endswith(_SUFFIXES)
        }
        builtin = self.text("modules.builtin").splitlines()
        self.builtin = frozenset(module_name(line) for line in builtin if line)
        self._loaded: dict[str, LoadedModule] = {}

    def __iter__(self) -> Iterator[Module]:
        """All modules, by path."""
        return iter(self._modules.values())

    def find(self, module: str) -> Module | None:
        """The module of that name, with ``-`` and ``_`` as the same sign."""
        return self._modules.get(canonical(module))

    def offers(self, module: str) -> bool:
        """Whether ``module`` is built in or a module."""
        return canonical(module) in self.builtin or self.find(module) is not None

    def text(self, file_name: str) -> str:
        """A file of the release's folder (``modules.order``); empty when it is not there."""
        file = self._files.get(file_name)
        if file is None:
            return ""
        return read_content(file.content, blobs=self.blobs).decode("utf-8", "backslashreplace")

    def index(self) -> dict[str, Content]:
        """The files about modules that depmod writes (``modules.dep`` …), as the package has
        them, by name."""
        return {
            name: file.content for name, file in self._files.items() if name.startswith("modules.")
        }

    def is_plain(self, module: LoadedModule) -> bool:
        """Whether the package has ``module`` uncompressed, as kernel and agent take it."""
        return module.path in self._files

    def load(self, module: Module) -> LoadedModule:
        """Read a module.  Raises ``ArchiveError`` when it is damaged."""
        loaded = self._loaded.get(module.name)
        if loaded is None:
            loaded = self._read(module)
            self._loaded[module.name] = loaded
        return loaded

    def describe(self, module: Module) -> LoadedModule:
        """What a module says of itself; path and content stay as the package has them.

        Raises ``ArchiveError`` when it or its symbols are damaged, and keeps nothing in memory.
        """
        found = self._read(module)
        module_symbols(read_content(found.content, blobs=self.blobs))  # for depmod
        return replace(found, path=module.path, content=module.file.content)

    def closure(self, names: Iterable[str]) -> tuple[LoadedModule, ...]:
        """The modules called ``names`` and all that they need, in an order that loads.

        What is built in needs no module and what is absent is passed over: ask ``offers``
        first.  Raises ``ImageError`` when a module needs another that is absent.
        """
        order: dict[str, LoadedModule] = {}
        for wanted in names:
            module = self.find(wanted)
            if module is not None:
                self._add(module, order, needed_by=())
        return tuple(order.values())

    def _read(self, module: Module) -> LoadedModule:
        stored = read_content(module.file.content, blobs=self.blobs)
        data = decompressed(stored)
        return LoadedModule(
            name=module.name,
            path=module.path[: module.path.rindex(".ko")] + ".ko",
            content=module.file.content if data is stored else InlineBytes(data),
            info=module_info(data),
        )

    def _add(
        self, module: Module, order: dict[str, LoadedModule], *, needed_by: tuple[str, ...]
    ) -> None:
        if module.name in order or module.name in needed_by:
            return
        loaded = self.load(module)
        chain = (*needed_by, module.name)
        for softdep in loaded.info.softdeps:
            for wish in softdep_before(softdep):
                wished = self._wished(wish)
                if wished is not None:
                    self._add(wished, order, needed_by=chain)
        for dependency in loaded.info.depends:
            needed = self.find(dependency)
            if needed is not None:
                self._add(needed, order, needed_by=chain)
            elif not self.offers(dependency):
                raise ImageError(
                    f"the module {module.name} of kernel {self.release} needs {dependency}, "
                    "which the kernel's package does not hold",
                    hint="take the kernel's modules and its image from the same package",
                )
        order[module.name] = loaded

    def _wished(self, wish: str) -> Module | None:
        """What meets a soft dependency: a module, or the portable one of an algorithm.

        ``crc32c`` and its like are names of crypto algorithms; the variant that loads on
        every processor is the one named ``…_generic``.
        """
        generic = wish.removeprefix("crypto-") + "_generic"
        if self.builtin.isdisjoint((canonical(wish), canonical(generic))):
            return self.find(wish) or self.find(generic)
        return None


def _release_folder(tree: FileTree, release: str | None) -> GuestPath:
    if release is not None:
        # Where programs look, whatever links there are on the way and whatever lies elsewhere.
        place = tree.resolve(guest_path(f"lib/modules/{release}"))
        if place is not None and isinstance(tree[place], Directory):
            return place
    found = sorted(
        path
        for path, entry in tree.items()
        if parent(path) in _MODULE_FOLDERS and isinstance(entry, Directory)
        if release is None or name(path) == release.encode()
    )
    if len(found) == 1:
        return found[0]
    if not found:
        which = f"of the kernel {release} " if release else ""
        raise ImageError(
            f"there are no modules {which}below /lib/modules",
            hint="use a kernel package that brings its modules",
        )
    raise ImageError(
        "there are modules of several kernels: " + ", ".join(display(name(path)) for path in found),
        hint="name the kernel's release",
    )


def _files_below(tree: FileTree, folder: GuestPath) -> Iterator[tuple[str, RegularFile]]:
    prefix = folder + b"/"
    for path, entry in tree.items():
        if path.startswith(prefix) and isinstance(entry, (RegularFile, HardLink)):
            inode = tree.inode(path)
            if isinstance(inode, RegularFile):
                yield display(path[len(prefix) :]), inode
