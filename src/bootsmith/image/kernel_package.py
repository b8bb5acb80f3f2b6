"""The kernel inside a distribution's package of it."""

from __future__ import annotations

from bootsmith.errors import ImageError
from bootsmith.model.guest_path import GuestPath, display, guest_path
from bootsmith.tree.entry import Content, RegularFile
from bootsmith.tree.file_tree import FileTree

_NAMES = ("boot/vmlinuz-{}", "usr/lib/modules/{}/vmlinuz")  # of Debian, and of others
_BOOT = b"boot/vmlinuz"


def kernel_of(package: FileTree, *, release: str, image: GuestPath | None = None) -> Content:
    """The kernel's image: ``image`` where that is known, else as Debian names it, else the only
    one there is (Alpine names it by its flavour).

    Raises ``ImageError`` when there is none.
    """
    there = [path for path in package if path.startswith(_BOOT)]
    names = [guest_path(name.format(release)) for name in _NAMES]
    for path in [image] if image else [*names, *(there if len(there) == 1 else ())]:
        if path in package and isinstance(entry := package.inode(path), RegularFile):
            return entry.content
    found = ", ".join(map(display, there))
    raise ImageError(
        f"the kernel's package holds no kernel: there is no {display(image or names[0])}",
        hint=f"it has {found}" if found else "name the package of a kernel image",
    )
