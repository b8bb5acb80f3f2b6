"""The boot layer: kernel, initramfs and the modules of the root file system."""

from __future__ import annotations

from dataclasses import dataclass

from bootsmith.config.build_config import KernelConfig
from bootsmith.image.boot_modules import guest_modules, initramfs_modules, installed_modules
from bootsmith.image.initramfs import initramfs_tree
from bootsmith.image.kernel_image import KERNEL_MAX_BYTES, kernel_facts, require_kernel
from bootsmith.image.kernel_modules import KernelModules
from bootsmith.image.kernel_package import kernel_of
from bootsmith.model.arch import Arch
from bootsmith.model.guest_path import GuestPath
from bootsmith.model.streams import BlobSource
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import Content
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer
from bootsmith.tree.normalise import set_layer_times, set_times


@dataclass(frozen=True, slots=True, kw_only=True)
class BootLayer:
    """The same for every build with this kernel: it bears no time."""

    kernel: Content
    initramfs: FileTree
    modules: Layer

    def dated(self, epoch_s: int) -> BootLayer:
        """The same with every file's time at ``epoch_s``."""
        return BootLayer(
            kernel=self.kernel,
            initramfs=set_times(self.initramfs, epoch_s=epoch_s),
            modules=set_layer_times(self.modules, epoch_s=epoch_s),
        )


def boot_layer(
    package: FileTree,
    config: KernelConfig,
    *,
    arch: Arch,
    image: GuestPath | None,
    is_installed: bool = False,
    init: Content,
    blobs: BlobSource,
) -> BootLayer:
    """What boots, from the contents of a kernel's package.

    ``image`` is where the kernel is, if the config says so; ``init`` the program that the
    initramfs starts; ``is_installed`` tells that the root file system holds the whole package.
    Raises ``ImageError`` when the package holds no kernel, one for another architecture, or one
    that cannot drive a virtual machine's devices.
    """
    modules = KernelModules(package, blobs=blobs)
    kernel = kernel_of(package, release=modules.release, image=image)
    facts = kernel_facts(read_content(kernel, blobs=blobs, most_bytes=KERNEL_MAX_BYTES))
    require_kernel(facts, arch=arch, release=modules.release)
    layer = Layer(())
    if is_installed:
        layer = installed_modules(modules)
    elif config.modules != "none":
        layer = guest_modules(modules, selection=config.modules)
    return BootLayer(
        kernel=kernel,
        initramfs=initramfs_tree(
            init=init,
            modules=initramfs_modules(modules),
            release=modules.release,
        ),
        modules=layer,
    )
