"""The kernel inside a distribution's package of it."""

from __future__ import annotations

from bootsmith.errors import ImageError
from bootsmith.model.guest_path import guest_path
from bootsmith.tree.entry import Content, RegularFile
from bootsmith.tree.file_tree import FileTree


def kernel_of(package: FileTree, *, release: str) -> Content:
    """The kernel's image, as Debian's and Alpine's packages name it.

    Raises ``ImageError`` when there is none.
    """
    for name in (f"boot/vmlinuz-{release}", f"usr/lib/modules/{release}/vmlinuz"):
        path = guest_path(name)
        if isinstance(entry := package.get(path), RegularFile):
            return entry.content
    raise ImageError(
        f"the kernel's package holds no kernel: there is no boot/vmlinuz-{release}",
        hint="name the package of a kernel image in kernel.package",
    )
