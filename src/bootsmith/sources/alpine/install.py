"""Packages laid out as a tree, as apk lays them.

apk's rules, where they differ from those of other layers:

- a directory shared by packages belongs to the lowest of their owners, with what all of that
  owner's packages allow; one that was there before stays as it is;
- a file belongs to one package.  A package of the same origin may take it over, and so may one
  that ``replaces`` the owner, unless the owner replaces it with a higher priority;
- where the user may have changed files (below ``/etc``), what is there and in no package stays,
  and the package's file lies beside it as ``.apk-new``;
- owners go by their names, as far as the system knows these.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from bootsmith.errors import ArchiveError
from bootsmith.model.guest_path import GuestPath, ancestors, display, guest_path, name, parent
from bootsmith.model.streams import BlobSource
from bootsmith.sources.alpine.data_tar import ApkFile, Owner
from bootsmith.sources.alpine.installed import (
    Access,
    Folder,
    InstalledFile,
    InstalledPackage,
    Names,
)
from bootsmith.sources.alpine.unpacked import UnpackedApk
from bootsmith.tree.accounts import read_accounts
from bootsmith.tree.contents import read_content
from bootsmith.tree.device_nodes import device_node
from bootsmith.tree.entry import (
    EMPTY,
    Directory,
    Entry,
    HardLink,
    Metadata,
    RegularFile,
    Symlink,
)
from bootsmith.tree.file_tree import FileTree, TreeBuilder

NEW_SUFFIX = b".apk-new"
EXEC_FOLDER = "lib/apk/exec"
"""Where apk puts scripts to run them; it makes the folder for the first one, and leaves it."""

_PROTECTED = b"etc"
_KEPT = b".keep_"  # placeholders of the packages' makers, never installed
_PASSWD = guest_path("etc/passwd")
_ROOT = Owner("root", "root")

FIRST_FOLDERS = {
    "tmp": 0o1777,
    "dev": 0o755,
    "etc": 0o755,
    "etc/apk": 0o755,
    "lib": 0o755,
    "lib/apk": 0o755,
    "lib/apk/db": 0o755,
    "proc": 0o555,
    "var": 0o755,
    "var/cache": 0o755,
    "var/cache/apk": 0o755,
    "var/cache/misc": 0o755,
}
"""What apk makes in an empty root before the first package comes, with its mode."""

_DEVICES = (
    ("null", 0o666),
    ("zero", 0o666),
    ("random", 0o666),
    ("urandom", 0o666),
    ("console", 0o600),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """``tree`` without apk's database, and ``packages`` in the order they were installed."""

    tree: FileTree
    packages: tuple[InstalledPackage, ...]


def install(
    apks: Sequence[UnpackedApk],
    *,
    blobs: BlobSource,
    base: FileTree | None = None,
    returned: Collection[GuestPath] = (),
    tags: Sequence[str | None] = (),
) -> Installation:
    """The files of ``apks``, in their order, on top of ``base`` (which no package owns).

    ``returned`` are directories of ``base`` that are only there for what they hold: a package
    that has one makes it its own.  ``tags`` are those of ``Solution.tags``.  Raises
    ``ArchiveError`` when two packages bring the same file or cannot be laid out together,
    ``UnsafePath`` for a hostile one.
    """
    laying = _Laying(prepared(base, returned), blobs, returned=returned)
    for number, apk in enumerate(apks):
        laying.add(apk, tags[number] if tags else None)
    laid = laying.finish()
    return settle_owners(laid, laid.tree, blobs=blobs)


def prepared(base: FileTree | None = None, returned: Collection[GuestPath] = ()) -> FileTree:
    """``base`` with the directories and devices that apk makes first, where there are none, and
    as apk makes them where they are in ``returned``."""
    builder = TreeBuilder(base)
    found: dict[str, Entry] = {
        path: Directory(Metadata(mode)) for path, mode in FIRST_FOLDERS.items()
    }
    for device, mode in _DEVICES:
        found[f"dev/{device}"] = device_node(device, Metadata(mode))
    for path, entry in found.items():
        place = builder.place(guest_path(path))
        if place not in builder or (place in returned and isinstance(entry, Directory)):
            builder.put(place, entry)
    return builder.build()


def is_protected(place: GuestPath) -> bool:
    """Whether what is at ``place`` may be the user's, and is never replaced."""
    return _PROTECTED in ancestors(place)


def settle_owners(installation: Installation, tree: FileTree, *, blobs: BlobSource) -> Installation:
    """The installation in ``tree``, with every owner that the accounts in ``tree`` know by name.

    ``tree`` is that of ``installation`` after scripts ran in it.  What they changed stays.
    """
    names = Names.of(read_accounts(tree, blobs=blobs))
    packages = tuple(one.known_to(names) for one in installation.packages)
    if all(one is old for one, old in zip(packages, installation.packages, strict=True)):
        return Installation(tree=tree, packages=packages)
    builder = TreeBuilder(tree)
    before, after = _accesses(installation.packages), _accesses(packages)
    for path, old in before.items():
        entry = tree.get(path)
        if entry is None or isinstance(entry, HardLink) or after[path] == old:
            continue
        metadata = entry.metadata
        if (metadata.mode, metadata.uid, metadata.gid) == old:
            mode, uid, gid = after[path]
            metadata = metadata._replace(mode=mode, uid=uid, gid=gid)
            builder.change(path, entry._replace(metadata=metadata))
    return Installation(tree=builder.build(), packages=packages)


def _accesses(packages: Iterable[InstalledPackage]) -> dict[GuestPath, tuple[int, int, int]]:
    """Mode and owners of everything in packages.  A directory's are those of the lowest owner,
    less what any other package of that owner denies."""
    found: dict[GuestPath, tuple[int, int, int]] = {}
    for package in packages:
        for folder in package.folders:
            mode, uid, gid, _, _ = folder.access
            known = found.get(folder.path)
            if known is None or (uid, gid) < known[1:]:
                found[folder.path] = mode, uid, gid
            elif (uid, gid) == known[1:]:
                found[folder.path] = mode & known[0], uid, gid
            for file in folder.files:
                found[file.place] = file.access[:3]
    return found


@dataclass(slots=True)
class _Package:
    """A package while it is laid out: its folders in order, with their files by name."""

    apk: UnpackedApk
    folders: dict[GuestPath, Access] = field(default_factory=dict)
    files: dict[GuestPath, dict[bytes, InstalledFile]] = field(default_factory=dict)

    def add_folder(self, path: GuestPath, access: Access) -> None:
        self.folders[path] = access
        self.files.setdefault(path, {})


class _Laying:
    def __init__(
        self, base: FileTree, blobs: BlobSource, *, returned: Collection[GuestPath]
    ) -> None:
        self._builder = TreeBuilder(base)
        self._blobs = blobs
        # What apk makes first is as apk makes it, whoever has it besides.
        self._returned = set(returned).difference(map(guest_path, FIRST_FOLDERS))
        self._there_before = set(base) - self._returned
        self._packages: list[tuple[_Package, bool, str | None]] = []
        self._owners: dict[GuestPath, _Package] = {}  # of files, by where they are
        self._has_accounts = _PASSWD in base

    def add(self, apk: UnpackedApk, tag: str | None) -> None:
        package = _Package(apk)
        self._packages.append((package, self._has_accounts, tag))
        self._make_room_for(apk, "pre-install")
        for file in apk.files:
            if file.path.startswith(b".") or not file.path:
                continue
            if isinstance(file.entry, Directory):
                self._add_folder(package, file, file.entry)
            elif not name(file.path).startswith(_KEPT):
                self._add_file(package, file)
        self._make_room_for(apk, "post-install")
        self._has_accounts = self._has_accounts or _PASSWD in self._owners

    def finish(self) -> Installation:
        packages = tuple(
            InstalledPackage(
                package.apk.package,
                package.apk.control,
                tuple(
                    Folder(path, access, tuple(package.files[path].values()))
                    for path, access in package.folders.items()
                ),
                knows_names,
                tag,
            )
            for package, knows_names, tag in self._packages
        )
        for path, (mode, uid, gid) in _accesses(packages).items():
            entry = self._builder.get(path)
            if isinstance(entry, Directory) and path not in self._there_before:
                metadata = entry.metadata._replace(mode=mode, uid=uid, gid=gid)
                self._builder.change(path, Directory(metadata))
        return Installation(tree=self._builder.build(), packages=packages)

    def _make_room_for(self, apk: UnpackedApk, script: str) -> None:
        place = self._builder.place(guest_path(EXEC_FOLDER))
        if script in apk.control.scripts and place not in self._builder:
            self._builder.put(place, Directory(Metadata(0o700)))
            self._there_before.add(place)

    def _add_folder(self, package: _Package, file: ApkFile, directory: Directory) -> None:
        package.add_folder(file.path, Access.of(directory.metadata, file.owner))
        place = self._builder.place(file.path)
        there = self._builder.get(place)
        if there is None or place in self._returned:
            self._builder.put(place, directory)
            self._returned.discard(place)
        elif not isinstance(there, Directory) and not self._leads_to_a_directory(place):
            raise _clash(package, file.path, "a directory, where there is a file")

    def _add_file(self, package: _Package, file: ApkFile) -> None:
        folder = parent(file.path)
        if folder not in package.folders:
            if folder:
                raise _clash(package, file.path, "a file without an entry for its directory")
            package.add_folder(folder, Access(0o755, 0, 0, _ROOT))
        place = self._builder.place(file.path)
        if not self._may_take(package, file, place):
            return
        installed = self._installed(package, file, place)
        package.files[folder][installed.name] = installed
        self._owners[place] = package
        if self._is_the_users(place):
            self._put_beside(package, file, place)
        else:
            self._put(package, file, place)

    def _installed(self, package: _Package, file: ApkFile, place: GuestPath) -> InstalledFile:
        if not isinstance(file.entry, HardLink):
            access = Access.of(file.entry.metadata, file.owner)
            return InstalledFile(name(file.path), place, access, file.checksum)
        target = file.entry.target
        linked = package.files.get(parent(target), {}).get(name(target))
        if linked is None:
            raise _clash(package, file.path, f"a hard link to {display(target)}, which it has not")
        return linked._replace(name=name(file.path), place=place)

    def _may_take(self, package: _Package, file: ApkFile, place: GuestPath) -> bool:
        """Whether ``package`` brings ``place``, taking it from another where it may."""
        there = self._builder.get(place)
        if isinstance(there, Directory):
            raise _clash(package, file.path, "a file, where there is a directory")
        owner = self._owners.get(place)
        if owner is None or owner is package:
            return True
        ours, theirs = package.apk.package, owner.apk.package
        if not (ours.origin and ours.origin == theirs.origin):
            own, other = _priority(package, owner), _priority(owner, package)
            if other > own:
                return False
            if own < 0:
                raise ArchiveError(
                    f"{display(file.path)} is in the packages {theirs.name} and {ours.name}, and "
                    "neither replaces the other",
                    member=display(file.path),
                    hint="leave one of the two out",
                )
        for files in owner.files.values():
            for known in [one for one, found in files.items() if found.place == place]:
                del files[known]
        return True

    def _is_the_users(self, place: GuestPath) -> bool:
        return place in self._there_before and place in self._builder and is_protected(place)

    def _put_beside(self, package: _Package, file: ApkFile, place: GuestPath) -> None:
        if not self._is_same(self._builder.inode(place), file):
            self._put(package, file, GuestPath(place + NEW_SUFFIX))

    def _is_same(self, there: Entry | None, file: ApkFile) -> bool:
        match there, file.entry:
            case RegularFile(_, one), RegularFile(_, other):
                return one.size_bytes == other.size_bytes and (
                    read_content(one, blobs=self._blobs) == read_content(other, blobs=self._blobs)
                )
            case Symlink(_, one), Symlink(_, other):
                return one == other
        return False

    def _put(self, package: _Package, file: ApkFile, place: GuestPath) -> None:
        entry = file.entry
        if isinstance(entry, HardLink):
            target = entry.target
            entry = HardLink(package.files[parent(target)][name(target)].place)
        elif isinstance(entry, RegularFile) and not entry.content.size_bytes:
            entry = RegularFile(entry.metadata, EMPTY)
        self._builder.put(place, entry)

    def _leads_to_a_directory(self, place: GuestPath) -> bool:
        target = self._builder.resolve(place)
        return target is not None and isinstance(self._builder.get(target), Directory)


def _priority(package: _Package, other: _Package) -> int:
    """How strongly ``package`` replaces ``other``; -1 when it does not."""
    control, theirs = package.apk.control, other.apk.package
    for dependency in control.replaces:
        if dependency.name == theirs.name and dependency.is_met_by(theirs.version):
            return control.replaces_priority
    return -1


def _clash(package: _Package, path: GuestPath, what: str) -> ArchiveError:
    return ArchiveError(
        f"{display(path)} in the package {package.apk.package} is {what}",
        member=display(path),
        hint="leave the package out, or have it built anew",
    )


def all_folders(packages: Iterable[InstalledPackage]) -> Iterator[GuestPath]:
    """Every directory of ``packages``, with those above, sorted."""
    found = {guest_path("")}
    for package in packages:
        for folder in package.folders:
            found.update((folder.path, *ancestors(folder.path)))
    return iter(sorted(found))
