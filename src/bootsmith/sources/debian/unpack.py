"""Packages laid out as a tree, as ``dpkg --unpack`` would have left it.

dpkg's rules, where they differ from those of other layers:

- a directory that is there keeps its owner and mode, and so does a symbolic link to one;
- a file belongs to one package.  Another may take it over when it ``Replaces`` the owner, and
  gives it up when the owner replaces *it*; otherwise it is an error;
- configuration files lie beside their place, as ``.dpkg-new``, until the package is configured.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bootsmith.errors import ArchiveError, UnsafePath
from bootsmith.model.guest_path import GuestPath, display, guest_path, join
from bootsmith.sources.debian.configure import ARCHIVES
from bootsmith.sources.debian.deb import ControlArchive
from bootsmith.sources.debian.diversions import left_to_dpkg
from bootsmith.sources.debian.dpkg_database import add_database, info_name
from bootsmith.sources.debian.unpacked import UnpackedDeb
from bootsmith.tree.entry import Directory, Entry, HardLink, Metadata, RegularFile, Symlink
from bootsmith.tree.file_tree import FileTree, TreeBuilder

CONFFILE_SUFFIX = b".dpkg-new"

# Debian's merged /usr: since bookworm every system has these links.  From trixie on base-files
# brings them; before, the usrmerge package moves everything when it is configured.  Here they are
# there before anything is, so that every file goes to its last place at once.
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libo32", "libx32")
_MERGING_PACKAGES = frozenset({"usrmerge", "usr-is-merged"})


def unpack(debs: Sequence[UnpackedDeb], *, arch: str) -> FileTree:
    """The files of ``debs`` and dpkg's database, every package ``unpacked``.

    ``debs`` come in the order in which to unpack them; ``arch`` is dpkg's name.  The few that
    dpkg itself must unpack lie in ``ARCHIVES`` as they are.  Raises ``ArchiveError`` when two
    packages bring the same file, ``UnsafePath`` for a hostile one.
    """
    left = {id(control) for control in left_to_dpkg([deb.control for deb in debs])}
    ours = [deb for deb in debs if id(deb.control) not in left]
    unpacking = _Unpacking(debs)
    for deb in ours:
        unpacking.add(deb)
    builder = unpacking.builder
    add_database(builder, [(deb.control, unpacking.names(deb.control)) for deb in ours], arch=arch)
    for deb in debs:
        if id(deb.control) in left:
            path = builder.place(join(ARCHIVES, f"{info_name(deb.control)}.deb".encode()))
            builder.put(path, RegularFile(Metadata(0o644), deb.file))
    return builder.build()


@dataclass(slots=True)
class _Installed:
    """A package and the names it has in its list of files, in the archive's order."""

    control: ControlArchive
    names: dict[GuestPath, None]


class _Unpacking:
    def __init__(self, debs: Sequence[UnpackedDeb]) -> None:
        self.builder = TreeBuilder()
        self._installed: dict[tuple[str, str], _Installed] = {}
        # Who brought what is not a directory, by where it really is; with the name it has there.
        self._owners: dict[GuestPath, tuple[_Installed, GuestPath]] = {}
        if any(deb.control.name in _MERGING_PACKAGES for deb in debs):
            self._merge_usr(
                {path.partition(b"/")[0] for deb in debs for path, _ in deb.data.members}
            )
        else:
            self._merge_usr(_links_of_base_files(debs))

    def names(self, control: ControlArchive) -> Sequence[GuestPath]:
        return tuple(self._installed[_key(control)].names)

    def add(self, deb: UnpackedDeb) -> None:
        package = _Installed(deb.control, {})
        self._installed[_key(deb.control)] = package
        conffiles = frozenset(deb.control.conffiles)
        for path, entry in deb.data.members:
            package.names[path] = None
            place = self.builder.place(path)
            if isinstance(entry, Directory):
                self._add_directory(place, entry)
            elif self._may_put(package, path, place, entry):
                if path in conffiles:
                    place = GuestPath(place + CONFFILE_SUFFIX)
                self._put(place, entry, conffiles)

    def _merge_usr(self, present: Collection[bytes]) -> None:
        for name in _MERGED:
            path = guest_path(name)
            if path in present:
                self.builder.ensure_directory(guest_path("usr"))
                self.builder.put(guest_path(f"usr/{name}"), Directory(Metadata(0o755)))
                self.builder.put(path, Symlink(Metadata(0o777), b"usr/" + path))

    def _add_directory(self, place: GuestPath, directory: Directory) -> None:
        there = self.builder.get(place)
        if there is None:
            self.builder.put(place, directory)
        elif isinstance(there, Symlink) and self._is_directory(place):
            pass
        elif not isinstance(there, Directory):
            raise ArchiveError(
                f"{display(place)} is a directory in one package and a file in another",
                member=display(place),
            )

    def _may_put(
        self, package: _Installed, path: GuestPath, place: GuestPath, entry: Entry
    ) -> bool:
        """Whether ``package`` brings ``place``, taking it from another where it may."""
        known = self._owners.get(place)
        if known is not None and known[0] is not package:
            owner, owned_name = known
            if _replaces(owner.control, package.control):
                del package.names[path]
                return False
            if _replaces(package.control, owner.control):
                del owner.names[owned_name]
            elif not (
                owner.control.name == package.control.name
                and owner.control.is_multi_arch_same
                and package.control.is_multi_arch_same
            ):
                raise ArchiveError(
                    f"{display(path)} is in the packages {owner.control.name} and "
                    f"{package.control.name}, and neither replaces the other",
                    member=display(path),
                    hint="leave one of the two out",
                )
        elif isinstance(self.builder.get(place), Directory):
            if isinstance(entry, Symlink) and self._leads_to(place, entry):
                return False
            raise ArchiveError(
                f"{display(path)} is a directory in one package and a file in "
                f"{package.control.name}",
                member=display(path),
            )
        self._owners[place] = (package, path)
        return True

    def _put(self, place: GuestPath, entry: Entry, conffiles: frozenset[GuestPath]) -> None:
        if isinstance(entry, HardLink):
            suffix = CONFFILE_SUFFIX if entry.target in conffiles else b""
            entry = HardLink(GuestPath(self.builder.place(entry.target) + suffix))
        self.builder.put(place, entry)

    def _is_directory(self, path: GuestPath) -> bool:
        place = self.builder.resolve(path)
        return place is not None and isinstance(self.builder.get(place), Directory)

    def _leads_to(self, directory: GuestPath, link: Symlink) -> bool:
        """Whether ``link`` in the place of ``directory`` would lead to the same directory."""
        base = b"" if link.target.startswith(b"/") else directory.rpartition(b"/")[0]
        try:
            return self.builder.resolve(GuestPath(base + b"/" + link.target)) == directory
        except UnsafePath:
            return False


def _links_of_base_files(debs: Sequence[UnpackedDeb]) -> set[bytes]:
    return {
        path
        for deb in debs
        if deb.control.name == "base-files"
        for path, entry in deb.data.members
        if isinstance(entry, Symlink) and entry.target == b"usr/" + path
    }


def _key(control: ControlArchive) -> tuple[str, str]:
    return control.name, control.architecture


def _replaces(one: ControlArchive, other: ControlArchive) -> bool:
    return any(
        relation.name == other.name and relation.admits(other.version) for relation in one.replaces
    )
