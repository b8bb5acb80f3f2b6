"""The last edits of a Debian tree, so that two builds of the same packages are the same bytes.

Nothing of the machine or the moment of the build stays: no logs, caches, ids and dates.  What
debootstrap and mmdebstrap put there besides the packages is added: devices, ``fstab`` and apt's
sources, which name the public mirrors whichever were used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bootsmith.model.guest_path import GuestPath, guest_path, parent
from bootsmith.model.streams import BlobSource
from bootsmith.sources.debian.archive import Repository
from bootsmith.sources.debian.mirror import PUBLIC_MIRRORS
from bootsmith.sources.tidying import clamp_days, remove_below, remove_logs, replace_content
from bootsmith.tree.accounts import read_accounts
from bootsmith.tree.device_nodes import DESCRIPTOR_LINKS, device_node
from bootsmith.tree.entry import (
    EMPTY,
    Directory,
    Entry,
    InlineBytes,
    Metadata,
    RegularFile,
    Symlink,
)
from bootsmith.tree.file_tree import FileTree, TreeBuilder
from bootsmith.tree.normalise import set_metadata

SOURCES = guest_path("etc/apt/sources.list.d/debian.sources")

_KEYRINGS = tuple(  # from trixie on it ends in .pgp
    guest_path(f"usr/share/keyrings/debian-archive-keyring.{suffix}") for suffix in ("pgp", "gpg")
)
_BILLION = 1_000_000_000

_REMOVED = (
    "var/cache/ldconfig/aux-cache",  # holds inode numbers and times of the build
    "var/lib/dbus/machine-id",
    # The last state but one, which programs keep when they write.
    "var/lib/dpkg/status-old",
    "var/lib/dpkg/diversions-old",
    "var/lib/dpkg/statoverride-old",
    "var/cache/debconf/config.dat-old",
    "var/cache/debconf/templates.dat-old",
    "var/cache/debconf/passwords.dat-old",
)
_MACHINE_ID = guest_path("etc/machine-id")  # machine-id(5): the first boot fills an empty one
_WITHOUT_FILES = ("var/cache/apt", "var/lib/apt/lists", "var/tmp")
_LOGS = "var/log"
_DATED = ("etc/shadow", "etc/shadow-")
_OWNED_BY_APT = ("var/cache/apt/archives/partial", "var/lib/apt/lists/partial")

# Those of mmdebstrap; a chroot needs them, a virtual machine mounts its own.
_DEVICES = ("console", "full", "null", "ptmx", "random", "tty", "urandom", "zero")
_FSTAB = b"# UNCONFIGURED FSTAB FOR BASE SYSTEM\n"


def finish(
    tree: FileTree, repositories: Sequence[Repository], *, epoch_s: int, blobs: BlobSource
) -> FileTree:
    """``tree`` as it goes into an image.

    ``repositories`` are what apt will read in the guest.  ``epoch_s`` is the build's time:
    what is added has it, and no password was changed after it.
    """
    builder = TreeBuilder(tree)
    for path in _REMOVED:
        _remove(builder, guest_path(path))
    if _MACHINE_ID in builder:
        replace_content(builder, _MACHINE_ID, EMPTY)
        set_metadata(builder, _MACHINE_ID, mode=0o644)
    for path in _WITHOUT_FILES:
        remove_below(builder, guest_path(path))
    remove_logs(builder, guest_path(_LOGS))
    for path in _DATED:
        clamp_days(builder, guest_path(path), epoch_s=epoch_s, blobs=blobs)
    _give_to_apt(builder, tree, blobs)
    _add(builder, repositories, Metadata(0o644, mtime_ns=epoch_s * _BILLION))
    return builder.build()


def apt_sources(repositories: Iterable[Repository], *, signed_by: str | None) -> str:
    """The repositories as apt reads them (sources.list(5), "DEB822-STYLE FORMAT").

    Suites of one archive with the same components share a paragraph.
    """
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for repository in repositories:
        key = (repository.archive, repository.components)
        groups.setdefault(key, []).append(repository.suite)
    signature = f"Signed-By: {signed_by}\n" if signed_by else ""
    return "\n".join(
        f"Types: deb\n"
        f"URIs: {PUBLIC_MIRRORS[archive]}\n"
        f"Suites: {' '.join(suites)}\n"
        f"Components: {' '.join(components)}\n"
        f"{signature}"
        for (archive, components), suites in groups.items()
    )


def _remove(builder: TreeBuilder, path: GuestPath) -> None:
    if path in builder:
        builder.remove(path)


def _give_to_apt(builder: TreeBuilder, tree: FileTree, blobs: BlobSource) -> None:
    """Let apt's own user download, as apt itself would see to when it first runs."""
    user = read_accounts(tree, blobs=blobs).user("_apt")
    for path in map(guest_path, _OWNED_BY_APT):
        if user is not None and path in builder:
            set_metadata(builder, path, mode=0o700, uid=user.uid)


def _add(builder: TreeBuilder, repositories: Sequence[Repository], plain: Metadata) -> None:
    """Add what no package brings, where nothing is yet; ``plain`` is an ordinary file's."""
    folder = Directory(plain._replace(mode=0o755))
    found: dict[str, Entry] = {"etc/fstab": RegularFile(plain, InlineBytes(_FSTAB))}
    if isinstance(builder.get(parent(SOURCES)), Directory):
        keyring = next((path for path in _KEYRINGS if path in builder), None)
        signed_by = f"/{keyring.decode()}" if keyring else None
        text = apt_sources(repositories, signed_by=signed_by)
        found[SOURCES.decode()] = RegularFile(plain, InlineBytes(text.encode()))
    for name in _DEVICES:
        found[f"dev/{name}"] = device_node(name, plain._replace(mode=0o666))
    for name, target in DESCRIPTOR_LINKS.items():
        found[f"dev/{name}"] = Symlink(plain._replace(mode=0o777), target)
    found["dev/pts"] = found["dev/shm"] = folder
    # /var/lock leads there (Policy 9.1.4), and base-files makes it, where nothing is kept.
    found["run/lock"] = Directory(plain._replace(mode=0o1777))
    for path, entry in found.items():
        place = builder.place(guest_path(path))
        if place not in builder:
            builder.put(place, entry)
