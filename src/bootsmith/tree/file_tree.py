"""A root file system as a value.

``FileTree`` never changes; ``TreeBuilder`` is the one mutable thing that makes them.  A tree
always holds its root, the parents of all its entries, and the targets of its hard links.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bootsmith.errors import ArchiveError, UnsafePath
from bootsmith.model.guest_path import ROOT, GuestPath, ancestors, display, join, name, parent
from bootsmith.tree.entry import (
    Device,
    Directory,
    Entry,
    Fifo,
    HardLink,
    Inode,
    Metadata,
    RegularFile,
    Symlink,
)

IMPLIED_DIRECTORY = Directory(Metadata(0o755))
"""What stands for a parent that no archive member describes (as umoci and containerd do)."""

# One path of 4 KiB may imply two thousand parents, 4 MB of paths: a few thousand such members
# would fill any memory.
_IMPLIED_MAX_BYTES = 64 << 20

_MAX_SYMLINKS = 40  # the kernel's own limit on one path walk (MAXSYMLINKS)


class FileTree:
    """Paths and their entries, always walked in sorted order.

    Of a hard-linked file the first name in that order carries the entry, so that equal trees
    are equal values.
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Mapping[GuestPath, Entry] | None = None) -> None:
        """Raises ``ArchiveError`` when a parent, the root or a link's target is missing."""
        found = dict(entries or {})
        found.setdefault(ROOT, IMPLIED_DIRECTORY)
        _check(found)
        _let_first_names_carry(found)
        self._entries = {path: found[path] for path in sorted(found)}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[GuestPath]:
        return iter(self._entries)

    def __contains__(self, path: object) -> bool:
        return path in self._entries

    def __getitem__(self, path: GuestPath) -> Entry:
        return self._entries[path]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileTree) and self._entries == other._entries

    def __hash__(self) -> int:
        raise TypeError("a FileTree is compared, not hashed; use the digest of its layer")

    def __repr__(self) -> str:
        return f"FileTree({len(self)} entries)"

    def get(self, path: GuestPath) -> Entry | None:
        return self._entries.get(path)

    def items(self) -> Iterable[tuple[GuestPath, Entry]]:
        """Every path with its entry; a directory comes before what it holds."""
        return self._entries.items()

    def inode(self, path: GuestPath) -> Inode:
        """The entry at ``path`` with a hard link followed.  Raises ``KeyError``."""
        entry = self._entries[path]
        if isinstance(entry, HardLink):
            target = self._entries[entry.target]
            assert not isinstance(target, HardLink)
            return target
        return entry

    def resolve(self, path: GuestPath) -> GuestPath | None:
        """Where ``path`` leads with every symlink followed inside the root.

        ``None`` when something on the way is missing.  Raises ``UnsafePath`` for a loop.
        """
        return follow(self._entries, path)


class TreeBuilder:
    """Makes a ``FileTree``, from nothing or from one that is there.

    Every path given is used as it stands: its parents are *not* followed through symlinks
    (``place`` does that) and must exist or be made by ``ensure_directory``.
    """

    def __init__(self, base: FileTree | None = None) -> None:
        self._entries: dict[GuestPath, Entry] = dict(base.items()) if base else {}
        self._entries.setdefault(ROOT, IMPLIED_DIRECTORY)
        self._children: dict[GuestPath, set[bytes]] | None = None
        self._links: dict[GuestPath, set[GuestPath]] = {}
        for path, entry in self._entries.items():
            if isinstance(entry, HardLink):
                self._links.setdefault(entry.target, set()).add(path)
        self._placed: dict[GuestPath, GuestPath] = {}
        self._implied_bytes = 0

    def build(self) -> FileTree:
        return FileTree(self._entries)

    def __contains__(self, path: object) -> bool:
        return path in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, path: GuestPath) -> Entry | None:
        return self._entries.get(path)

    def inode(self, path: GuestPath) -> Inode | None:
        """The entry at ``path`` with a hard link followed, or ``None``."""
        entry = self._entries.get(path)
        if isinstance(entry, HardLink):
            entry = self._entries[entry.target]
        assert not isinstance(entry, HardLink)
        return entry

    def resolve(self, path: GuestPath) -> GuestPath | None:
        """``FileTree.resolve``, of the tree as it is now."""
        return follow(self._entries, path)

    def place(self, path: GuestPath) -> GuestPath:
        """Where an entry named ``path`` really goes: its parents' symlinks are followed.

        Missing parents are made.  A link is followed inside the root, as ``chroot`` would;
        one that leads to nothing, or to a file, is replaced by a directory, which is what
        the OCI layer rules want of an entry below it.  Raises ``UnsafePath`` for a loop.
        """
        if not path:
            return path
        directory, _, last = path.rpartition(b"/")
        return join(self._place_directory(GuestPath(directory)), last)

    def put(self, path: GuestPath, entry: Entry) -> None:
        """Set ``path`` to ``entry``; what was there goes, with its contents.

        A directory put on a directory keeps the contents.  A hard link must name an entry
        that is there; links to links are shortened.  Raises ``ArchiveError`` otherwise.
        """
        old = self._entries.get(path)
        if isinstance(entry, HardLink):
            entry = self._checked_link(path, entry)
            if entry.target == path:
                return
        if old is not None and not (isinstance(old, Directory) and isinstance(entry, Directory)):
            if not path:
                raise ArchiveError("the root of a tree must be a directory", member="/")
            self.remove(path)
            if isinstance(entry, HardLink):  # removing may have promoted another name
                entry = self._checked_link(path, entry)
        self._entries[path] = entry
        if self._children is not None and path:
            self._children.setdefault(parent(path), set()).add(name(path))
        if isinstance(entry, HardLink):
            self._links.setdefault(entry.target, set()).add(path)

    def change(self, path: GuestPath, entry: Inode) -> None:
        """Replace the entry at ``path`` by one of its own kind; other names of it show it too."""
        assert type(entry) is type(self._entries[path])
        self._entries[path] = entry

    def ensure_directory(self, path: GuestPath) -> None:
        """Make ``path`` and its parents directories of mode 755, where nothing is there yet."""
        for directory in (*ancestors(path), path):
            if directory not in self._entries:
                self.put(directory, IMPLIED_DIRECTORY)

    def remove(self, path: GuestPath) -> None:
        """Take ``path`` away, with all it holds.  Another name of the same file keeps it."""
        doomed = [path]
        for found in doomed:  # grows while it is walked
            if isinstance(self._entries[found], Directory):
                doomed.extend(self.children(found))
        for found in reversed(doomed):
            self._remove_one(found)

    def clear(self, directory: GuestPath) -> None:
        """Take away everything below ``directory``, which stays."""
        for child in self.children(directory):
            self.remove(child)

    def children(self, directory: GuestPath) -> list[GuestPath]:
        """The paths directly inside ``directory``, sorted."""
        if self._children is None:
            self._children = {}
            for path in self._entries:
                if path:
                    self._children.setdefault(parent(path), set()).add(name(path))
        return sorted(join(directory, child) for child in self._children.get(directory, ()))

    def _place_directory(self, directory: GuestPath) -> GuestPath:
        known = self._placed.get(directory)
        if known is not None:
            return known
        here, segments = ROOT, directory.split(b"/") if directory else []
        for outer in reversed(ancestors(directory)):
            if outer in self._placed:
                here, segments = self._placed[outer], directory[len(outer) + 1 :].split(b"/")
                break
        for segment in segments:
            here = self._enter(join(here, segment))
        self._placed[directory] = here
        return here

    def _enter(self, step: GuestPath) -> GuestPath:
        """The directory at ``step`` or where a link there leads; made if there is none."""
        entry = self.inode(step)
        if isinstance(entry, Symlink):
            target = follow(self._entries, step)
            if target is not None and isinstance(self._entries[target], Directory):
                return target
        if not isinstance(entry, Directory):
            self._implied_bytes += len(step)
            if self._implied_bytes > _IMPLIED_MAX_BYTES:
                raise ArchiveError(
                    "more parents are missing than an honest archive leaves out",
                    member=display(step),
                )
            self.put(step, IMPLIED_DIRECTORY)
        return step

    def _remove_one(self, path: GuestPath) -> None:
        entry = self._entries[path]
        if isinstance(entry, HardLink):
            self._unlink(entry.target, path)
        elif path in self._links:
            self._promote(path)
        if not isinstance(entry, (RegularFile, Device, Fifo)):
            self._placed.clear()  # it may have led somewhere
        del self._entries[path]
        if self._children is not None:
            self._children[parent(path)].discard(name(path))

    def _checked_link(self, path: GuestPath, link: HardLink) -> HardLink:
        target = self._entries.get(link.target)
        if isinstance(target, HardLink):
            return target
        if target is None or isinstance(target, Directory):
            what = "a directory" if target else "nothing"
            raise ArchiveError(
                f"{display(path)} is a hard link to {display(link.target)}, which is {what}",
                member=display(path),
            )
        return link

    def _unlink(self, target: GuestPath, path: GuestPath) -> None:
        names = self._links[target]
        names.discard(path)
        if not names:
            del self._links[target]

    def _promote(self, path: GuestPath) -> None:
        """Give the inode at ``path`` to the first of its other names."""
        names = sorted(self._links.pop(path))
        heir = names[0]
        self._entries[heir] = self._entries[path]
        for other in names[1:]:
            self._entries[other] = HardLink(heir)
        if names[1:]:
            self._links[heir] = set(names[1:])


def follow(entries: Mapping[GuestPath, Entry], path: GuestPath) -> GuestPath | None:
    """``path`` with every symlink followed inside the root, or ``None`` if it leads nowhere.

    An absolute target starts again at the root and ``..`` stops there, as under ``chroot``.
    Raises ``UnsafePath`` after 40 links.
    """
    pending = path.split(b"/")[::-1] if path else []
    here = ROOT
    links = 0
    while pending:
        segment = pending.pop()
        if segment in (b"", b"."):
            continue
        if segment == b"..":
            here = parent(here)
            continue
        step = join(here, segment)
        entry = entries.get(step)
        if entry is None:
            return None
        if isinstance(entry, HardLink):  # perhaps to a symbolic link
            entry = entries[entry.target]
        if isinstance(entry, Symlink):
            links += 1
            if links > _MAX_SYMLINKS:
                raise UnsafePath(
                    f"{display(path)} leads through a loop of symbolic links", member=display(path)
                )
            if entry.target.startswith(b"/"):
                here = ROOT
            pending.extend(entry.target.split(b"/")[::-1])
        elif pending and not isinstance(entry, Directory):
            return None
        else:
            here = step
    return here


def _check(entries: Mapping[GuestPath, Entry]) -> None:
    if not isinstance(entries[ROOT], Directory):
        raise ArchiveError("the root of a tree must be a directory", member="/")
    checked = ROOT  # the directory of the entry before: siblings mostly stand together
    for path, entry in entries.items():
        directory = parent(path)
        if directory != checked:
            if not isinstance(entries.get(directory), Directory):
                raise ArchiveError(
                    f"{display(path)} stands in no directory of its tree", member=display(path)
                )
            checked = directory
        if isinstance(entry, HardLink) and isinstance(
            entries.get(entry.target, None), (HardLink, Directory, type(None))
        ):
            raise ArchiveError(
                f"{display(path)} is a hard link to {display(entry.target)}, which is no file",
                member=display(path),
            )


def _let_first_names_carry(entries: dict[GuestPath, Entry]) -> None:
    names: dict[GuestPath, list[GuestPath]] = {}
    for path, entry in entries.items():
        if isinstance(entry, HardLink):
            names.setdefault(entry.target, []).append(path)
    for target, others in names.items():
        first = min(others)
        if first < target:
            entries |= dict.fromkeys((*others, target), HardLink(first)) | {first: entries[target]}
