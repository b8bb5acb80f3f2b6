"""``overlay`` against two models: a plain simulation of extraction, and GNU tar itself."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootsmith.errors import ArchiveError, UnsafePath
from bootsmith.model.guest_path import GuestPath
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import Directory, RegularFile, Symlink
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer, overlay
from tests.support import tar_shapes as shapes
from tests.support.examples import examples
from tests.support.judges import judge
from tests.support.memory_blobs import MemoryBlobs
from tests.tree.reading import members_of

NAMES = [b"a", b"b", b"c", b"a/a", b"a/b", b"b/a", b"b/c", b"a/b/c", b"b/a/c", b"c/a/b"]
TARGETS = [b"a", b"/b", b"../a", b"../../c", b"a/b", b"nowhere", b".", b"b/.."]


@dataclass
class Node:
    """What a name stands for in the simulation; names of one file share one node."""

    kind: str
    value: bytes = b""
    children: dict[bytes, Node] = field(default_factory=dict)


class Loop(Exception):
    """A walk through more than forty links."""


class Machine:
    """Extraction as an unpacker in a chroot would do it, one member after the other."""

    def __init__(self) -> None:
        self.root = Node("directory")

    def walk(self, path: bytes, *, make: bool = False) -> Node | None:
        """The directory at ``path``, links followed; made where it is missing, if asked."""
        above = [self.root]
        pending = [(part, 0) for part in reversed(path.split(b"/")) if part]
        links = 0
        while pending:
            part, depth = pending.pop()
            if part in (b"", b"."):
                continue
            if part == b"..":
                del above[1:][-1:]
                above = above[:-1] if len(above) > 1 else above
                continue
            child = above[-1].children.get(part)
            if child is not None and child.kind == "symlink":
                if depth == 0 and make and not self._leads_to_directory(above, child):
                    child = above[-1].children[part] = Node("directory")
                else:
                    links += 1
                    if links > 40:
                        raise Loop
                    if child.value.startswith(b"/"):
                        above = above[:1]
                    pending += [(step, depth + 1) for step in reversed(child.value.split(b"/"))]
                    continue
            if child is None or child.kind != "directory":
                if not make:
                    return None
                child = above[-1].children[part] = Node("directory")
            above.append(child)
        return above[-1]

    def _leads_to_directory(self, above: list[Node], link: Node) -> bool:
        names = b"/".join(self._name(outer, inner) for outer, inner in pairwise(above))
        base = b"" if link.value.startswith(b"/") else names
        return self.walk(base + b"/" + link.value) is not None

    @staticmethod
    def _name(outer: Node, inner: Node) -> bytes:
        return next(name for name, child in outer.children.items() if child is inner)

    def put(self, path: bytes, node: Node) -> None:
        directory, _, last = path.rpartition(b"/")
        parent = self.walk(directory, make=True)
        assert parent is not None
        old = parent.children.get(last)
        if not (old and old.kind == node.kind == "directory"):
            parent.children[last] = node

    def find(self, path: bytes) -> Node | None:
        """What stands at ``path``; its last name is not followed."""
        directory, _, last = path.rpartition(b"/")
        parent = self.walk(directory)
        return parent.children.get(last) if parent else None

    def link(self, path: bytes, target: bytes) -> bool:
        """False, and nothing done, where no unpacker could make the link."""
        node = self.find(target)
        if node is None or node.kind == "directory":
            return False
        parts = path.split(b"/")
        if any(self.find(b"/".join(parts[: n + 1])) is node for n in range(len(parts))):
            return False  # a directory would have to take the target's place
        old = self.find(path)
        if old and any(inner is node for _, inner in self._walk_all(old, b"")):
            return False  # the target would go with the directory whose place the link takes
        self.put(path, node)
        return True

    def listing(self) -> dict[bytes, tuple[str, bytes, int]]:
        """Path to kind, value and a number that names of the same file share."""
        numbers: dict[int, int] = {}
        found = {}
        for path, node in self._walk_all(self.root, b""):
            number = 0 if node.kind == "directory" else numbers.setdefault(id(node), len(numbers))
            found[path] = (node.kind, node.value, number)
        return found

    def _walk_all(self, node: Node, path: bytes) -> Iterator[tuple[bytes, Node]]:
        for name in sorted(node.children):
            child = node.children[name]
            yield path + name, child
            yield from self._walk_all(child, path + name + b"/")


operations = st.lists(
    st.one_of(
        st.tuples(st.just("file"), st.sampled_from(NAMES), st.binary(min_size=1, max_size=3)),
        st.tuples(st.just("directory"), st.sampled_from(NAMES), st.just(b"")),
        st.tuples(st.just("symlink"), st.sampled_from(NAMES), st.sampled_from(TARGETS)),
        st.tuples(st.just("link"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    ),
    max_size=12,
)


@examples(400)
@given(st.lists(operations, min_size=1, max_size=3))
def test_layers_end_as_their_extraction_does(layers: list[list[tuple[str, bytes, bytes]]]) -> None:
    machine, tree, blobs = Machine(), FileTree(), MemoryBlobs()
    for layer in layers:
        parts = []
        try:
            for kind, path, value in layer:
                if _simulate(machine, kind, path, value):
                    parts.append(_part(kind, path, value))
        except Loop:
            return
        data = shapes.archive(*parts)
        blobs.add(data)
        try:
            tree = overlay(tree, Layer(tuple(members_of(data))))
        except UnsafePath:
            return
    assert _same_numbers(_listing(tree, blobs)) == _same_numbers(machine.listing())


@pytest.mark.judge
@examples(40)
@given(operations)
def test_gnu_tar_extracts_to_the_same_tree(
    tmp_path_factory: pytest.TempPathFactory, layer: list[tuple[str, bytes, bytes]]
) -> None:
    machine = Machine()
    parts = []
    for kind, path, text in layer:
        # GNU tar makes links that lead upwards at the end only.
        value = b"missing" if kind == "symlink" else text
        if _simulate(machine, kind, path, value):
            parts.append(_part(kind, path, value))
    data = shapes.archive(*parts)
    blobs = MemoryBlobs()
    blobs.add(data)
    tree = overlay(FileTree(), Layer(tuple(members_of(data))))
    target = tmp_path_factory.mktemp("tar")
    flags = ("--no-same-owner", "--no-overwrite-dir")
    said = judge("tar", "-x", "-C", target, *flags, stdin=data, check=False)
    if "Cannot" in said:  # what GNU tar refuses, it cannot judge
        return
    assert _same_numbers(_listing(tree, blobs)) == _same_numbers(_listing_of_folder(target))


def test_the_model_notices_a_difference() -> None:
    machine = Machine()
    machine.put(b"a", Node("file", b"1"))
    tree = overlay(FileTree(), Layer(tuple(members_of(shapes.archive(shapes.file(b"a", b"2"))))))
    blobs = MemoryBlobs()
    blobs.add(shapes.archive(shapes.file(b"a", b"2")))
    assert _listing(tree, blobs) != machine.listing()


def test_links_to_nothing_are_refused_where_the_model_skips_them() -> None:
    with pytest.raises(ArchiveError):
        overlay(FileTree(), Layer(tuple(members_of(shapes.archive(shapes.hard_link(b"a", b"b"))))))


def _simulate(machine: Machine, kind: str, path: bytes, value: bytes) -> bool:
    """Do it; false for a hard link that no unpacker can make at that moment."""
    if kind == "link":
        return machine.link(path, value)
    machine.put(path, Node(kind, value))
    return True


def _part(kind: str, path: bytes, value: bytes) -> bytes:
    match kind:
        case "file":
            return shapes.file(path, value)
        case "directory":
            return shapes.directory(path)
        case "symlink":
            return shapes.symlink(path, value)
        case _:
            return shapes.hard_link(path, value)


def _listing(tree: FileTree, blobs: MemoryBlobs) -> dict[bytes, tuple[str, bytes, int]]:
    found = {}
    for path in tree:
        if not path:
            continue
        inode = tree.inode(GuestPath(path))
        if isinstance(inode, Directory):
            found[bytes(path)] = ("directory", b"", 0)
        elif isinstance(inode, RegularFile):
            found[bytes(path)] = ("file", read_content(inode.content, blobs=blobs), id(inode))
        elif isinstance(inode, Symlink):
            found[bytes(path)] = ("symlink", inode.target, id(inode))
    return found


def _listing_of_folder(folder: Path) -> dict[bytes, tuple[str, bytes, int]]:
    found = {}
    for where, folders, files in os.walk(os.fsencode(folder)):
        for name in (*folders, *files):
            path = os.path.join(where, name)  # noqa: PTH118 - pathlib has no bytes
            status = os.lstat(path)
            relative = os.path.relpath(path, os.fsencode(folder))
            if stat.S_ISDIR(status.st_mode):
                found[relative] = ("directory", b"", 0)
            elif stat.S_ISLNK(status.st_mode):
                found[relative] = ("symlink", os.readlink(path), status.st_ino)  # noqa: PTH115
            else:
                found[relative] = ("file", Path(os.fsdecode(path)).read_bytes(), status.st_ino)
    return found


def _same_numbers(
    listing: dict[bytes, tuple[str, bytes, int]],
) -> dict[bytes, tuple[str, bytes, int]]:
    """The listing with its files numbered by their first name."""
    numbers: dict[int, int] = {}
    return {
        path: (kind, value, numbers.setdefault(number, len(numbers)) if kind != "directory" else 0)
        for path, (kind, value, number) in sorted(listing.items())
    }
