"""Where libkrunfw's releases are, and which file of one holds the kernel that libkrun boots.

A release has, for some architectures, the library's sources with the kernel in them
(``libkrunfw-prebuilt-<arch>.tgz``), and for all the library itself (``libkrunfw-<arch>.tgz``).
The first is asked for first, as Gondolin does, so that both programs make the same image.
Nothing in a release is signed; ``docs/decisions/0014-libkrun.md`` says what is trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bootsmith.errors import ArchiveError
from bootsmith.model.arch import Arch
from bootsmith.model.guest_path import guest_path
from bootsmith.sources.mirror import Mirror, checked_address
from bootsmith.tree.entry import BlobSlice, RegularFile
from bootsmith.tree.file_tree import FileTree

LIBKRUNFW = "libkrunfw"
"""The key of the releases' own place, which locks carry."""

PUBLIC_MIRROR = "https://github.com/containers/libkrunfw/releases/download"
ENVIRONMENT = "BOOTSMITH_KRUNFW_MIRROR"

_SOURCE = "libkrunfw/kernel.c"
_LIBRARIES = ("lib64/libkrunfw.so", "lib/libkrunfw.so")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release, by its tag, for one architecture."""

    version: str
    arch: Arch

    @property
    def archives(self) -> tuple[str, ...]:
        """The names of the archives that may hold the kernel, the first to be asked for first."""
        return (f"libkrunfw-prebuilt-{self.arch}.tgz", f"libkrunfw-{self.arch}.tgz")

    def path(self, archive: str) -> str:
        """Where ``archive`` lies below the mirror."""
        return f"{self.version}/{archive}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelFile:
    """The file of an archive that the kernel is in, and whether that is C source."""

    content: BlobSlice
    is_source: bool


def kernel_file(tree: FileTree, archive: str) -> KernelFile:
    """The file of the unpacked ``archive`` that holds the kernel.

    Raises ``ArchiveError`` when there is none.
    """
    is_source = archive.startswith("libkrunfw-prebuilt-")
    places = (_SOURCE,) if is_source else _LIBRARIES
    for place in places:
        path = tree.resolve(guest_path(place))
        inode = None if path is None else tree.inode(path)
        if isinstance(inode, RegularFile) and isinstance(inode.content, BlobSlice):
            return KernelFile(content=inode.content, is_source=is_source)
    raise ArchiveError(f"{archive} holds no {' and no '.join(places)}", member=places[0])


def choose_mirror(*, configured: str | None, environment: Mapping[str, str]) -> Mirror:
    """The place to ask for releases.  Raises ``ConfigError`` for one that is no address."""
    for url, pointer, named_by in (
        (configured, "krun.mirror", "the config"),
        (environment.get(ENVIRONMENT), ENVIRONMENT, f"the variable {ENVIRONMENT}"),
    ):
        if url:
            checked = checked_address(url, pointer=pointer, example=PUBLIC_MIRROR)
            return Mirror(url=checked, named_by=named_by)
    return Mirror(url=PUBLIC_MIRROR, named_by="bootsmith's default")
