"""Trees as values, and the builder that makes them."""

from __future__ import annotations

import pytest
from hypothesis import given

from bootsmith.errors import ArchiveError, ImageError, UnsafePath
from bootsmith.model.guest_path import ROOT, GuestPath, guest_path
from bootsmith.tree.entry import (
    EMPTY,
    Directory,
    Entry,
    HardLink,
    InlineBytes,
    Metadata,
    RegularFile,
    Symlink,
)
from bootsmith.tree.file_tree import IMPLIED_DIRECTORY, FileTree, TreeBuilder
from bootsmith.tree.normalise import clamp_times, set_metadata, set_times
from tests.support.trees import trees

FILE = RegularFile(Metadata(0o644, mtime_ns=5_000_000_000), InlineBytes(b"1"))
OTHER = RegularFile(Metadata(0o600), EMPTY)


def tree(**entries: Entry) -> FileTree:
    builder = TreeBuilder()
    for path, entry in entries.items():
        where = guest_path(path.replace("__", "/"))
        builder.ensure_directory(GuestPath(where.rpartition(b"/")[0]))
        builder.put(where, entry)
    return builder.build()


def link(target: str) -> HardLink:
    return HardLink(guest_path(target))


def test_an_empty_tree_has_a_root() -> None:
    assert list(FileTree()) == [ROOT]


def test_a_walk_is_sorted_and_puts_directories_before_their_contents() -> None:
    found = tree(b=FILE, a__z=FILE, a__b__c=FILE)
    assert list(found) == [b"", b"a", b"a/b", b"a/b/c", b"a/z", b"b"]


def test_equal_trees_are_equal_however_they_came_about() -> None:
    assert tree(a=FILE, b=link("a")) == FileTree(
        {guest_path("b"): FILE, guest_path("a"): link("b")}
    )


def test_trees_are_not_hashed() -> None:
    with pytest.raises(TypeError):
        hash(FileTree())


@pytest.mark.parametrize(
    "entries",
    [
        {"a/b": FILE},
        {"a": FILE, "a/b": FILE},
        {"a": link("missing")},
        {"a": link("")},
        {"a": FILE, "b": link("a"), "c": link("b")},
        {"": FILE},
    ],
    ids=["no parent", "parent is a file", "link to nothing", "to a directory", "to a link", "root"],
)
def test_trees_that_cannot_be(entries: dict[str, Entry]) -> None:
    with pytest.raises(ArchiveError):
        FileTree({guest_path(path): entry for path, entry in entries.items()})


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("dir/f", b"dir/f"),
        ("to/f", b"dir/f"),
        ("up/f", b"dir/f"),
        ("twice/f", b"dir/f"),
        ("hard/f", b"dir/f"),
        ("to", b"dir"),
        ("dir/missing", None),
        ("dir/f/x", None),
        ("through", None),
        ("dangling", None),
        ("", b""),
    ],
)
def test_links_are_followed_inside_the_root(path: str, found: bytes | None) -> None:
    made = tree(
        dir__f=FILE,
        to=Symlink(Metadata(0o777), b"/dir"),
        up=Symlink(Metadata(0o777), b"../../dir/."),
        twice=Symlink(Metadata(0o777), b"to//"),
        zhard=Symlink(Metadata(0o777), b"dir"),
        hard=link("zhard"),
        through=Symlink(Metadata(0o777), b"dir/f/.."),
        dangling=Symlink(Metadata(0o777), b"nowhere"),
    )
    assert made.resolve(guest_path(path)) == found


def test_loops_are_noticed() -> None:
    made = tree(a=Symlink(Metadata(0o777), b"b"), b=Symlink(Metadata(0o777), b"a"))
    with pytest.raises(UnsafePath):
        made.resolve(guest_path("a"))


def test_a_removed_name_leaves_the_file_to_the_others() -> None:
    builder = TreeBuilder(tree(a=FILE, b=link("a"), c=link("a")))
    builder.remove(guest_path("a"))
    assert builder.build() == tree(b=FILE, c=link("b"))
    builder.remove(guest_path("c"))
    builder.remove(guest_path("b"))
    assert builder.build() == FileTree()


def test_a_replaced_name_leaves_the_file_to_the_others() -> None:
    builder = TreeBuilder(tree(a=FILE, b=link("a")))
    builder.put(guest_path("a"), OTHER)
    assert builder.build() == tree(a=OTHER, b=FILE)


def test_removing_a_directory_removes_all_of_it_but_links_from_outside() -> None:
    builder = TreeBuilder(tree(d__e__a=FILE, d__e__b=link("d/e/a"), out=link("d/e/a")))
    builder.remove(guest_path("d"))
    assert builder.build() == tree(out=FILE)


def test_clearing_keeps_the_directory() -> None:
    builder = TreeBuilder(tree(d__e__a=FILE, d__x=FILE))
    builder.clear(guest_path("d"))
    assert builder.build() == tree(d=IMPLIED_DIRECTORY)
    assert builder.children(guest_path("d")) == []


def test_the_builder_leaves_its_base_alone() -> None:
    base = tree(a=FILE)
    TreeBuilder(base).remove(guest_path("a"))
    assert base == tree(a=FILE)


@given(trees())
def test_a_tree_of_its_own_entries_is_the_same(made: FileTree) -> None:
    assert FileTree(dict(made.items())) == made
    assert TreeBuilder(made).build() == made


@given(trees())
def test_everything_can_be_removed(made: FileTree) -> None:
    builder = TreeBuilder(made)
    for path in list(made):
        if path and path in builder:
            builder.remove(path)
    assert len(builder) == 1


def test_late_times_become_the_epoch() -> None:
    made = tree(a=FILE, b=OTHER, c=link("a"))
    clamped = clamp_times(made, epoch_s=3)
    assert clamped.inode(guest_path("c")).metadata.mtime_ns == 3_000_000_000
    assert clamped.inode(guest_path("b")).metadata.mtime_ns == 0
    assert clamp_times(clamped, epoch_s=3) == clamped
    times = {
        entry.metadata.mtime_ns for entry in (set_times(made, epoch_s=9).inode(p) for p in made)
    }
    assert times == {9_000_000_000}


def test_owners_and_modes_change_for_every_name() -> None:
    builder = TreeBuilder(tree(a=FILE, b=link("a"), d=Directory(Metadata(0o755))))
    set_metadata(builder, guest_path("b"), mode=0o4755, uid=7)
    set_metadata(builder, guest_path("d"), gid=8)
    made = builder.build()
    assert made.inode(guest_path("a")).metadata == Metadata(0o4755, 7, 0, 5_000_000_000)
    assert made.inode(guest_path("d")).metadata == Metadata(0o755, 0, 8)
    with pytest.raises(ImageError):
        set_metadata(builder, guest_path("missing"), mode=0)
