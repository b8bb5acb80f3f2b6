"""Layers over trees: OCI's rules, dpkg's variation, and attempts to leave the root."""

from __future__ import annotations

import pytest

from bootsmith.errors import ArchiveError, UnsafePath
from bootsmith.model.guest_path import GuestPath
from bootsmith.tree.entry import Directory, HardLink, Metadata, RegularFile, Symlink
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer, layer_of, overlay
from tests.support import tar_shapes as shapes
from tests.tree.reading import members_of, text_at, tree_of

BASE = shapes.archive(
    shapes.directory(b"etc", mode=0o750),
    shapes.file(b"etc/a", b"a"),
    shapes.file(b"etc/b", b"b"),
    shapes.directory(b"usr/lib"),
    shapes.file(b"usr/lib/x", b"x"),
    shapes.symlink(b"lib", b"usr/lib"),
    shapes.symlink(b"absolute", b"/usr/lib"),
    shapes.symlink(b"outside", b"../../../usr/lib"),
    shapes.symlink(b"dangling", b"nowhere"),
    shapes.symlink(b"loop", b"loop"),
)


def paths(tree: FileTree) -> list[bytes]:
    return [path for path in tree if path]


def over_base(*parts: bytes) -> FileTree:
    return tree_of(BASE, shapes.archive(*parts))


def test_a_file_without_its_parents_gets_them() -> None:
    tree = tree_of(shapes.archive(shapes.file(b"a/b/c", b"1")))
    assert tree[GuestPath(b"a/b")] == Directory(Metadata(0o755))


def test_a_parent_described_later_keeps_its_contents() -> None:
    tree = tree_of(shapes.archive(shapes.file(b"a/b", b"1"), shapes.directory(b"a", mode=0o700)))
    assert paths(tree) == [b"a", b"a/b"]
    assert tree[GuestPath(b"a")] == Directory(Metadata(0o700))


@pytest.mark.parametrize(
    ("named", "placed"),
    [
        (b"lib/new", b"usr/lib/new"),
        (b"absolute/new", b"usr/lib/new"),
        (b"outside/new", b"usr/lib/new"),
        (b"lib/deeper/new", b"usr/lib/deeper/new"),
        (b"dangling/new", b"dangling/new"),
        (b"etc/a/new", b"etc/a/new"),
    ],
)
def test_members_below_links_stay_inside_the_root(named: bytes, placed: bytes) -> None:
    tree = over_base(shapes.file(named, b"1"))
    assert isinstance(tree[GuestPath(placed)], RegularFile)
    assert named == placed or GuestPath(named) not in tree


def test_a_link_of_the_same_layer_is_followed_too() -> None:
    layer = shapes.archive(shapes.symlink(b"bin", b"usr/bin"), shapes.file(b"bin/sh", b"sh"))
    tree = tree_of(shapes.archive(shapes.directory(b"usr/bin")), layer)
    assert paths(tree) == [b"bin", b"usr", b"usr/bin", b"usr/bin/sh"]


def test_files_and_directories_take_each_others_place() -> None:
    tree = over_base(shapes.file(b"etc", b"file"), shapes.directory(b"usr/lib/x"))
    assert isinstance(tree[GuestPath(b"etc")], RegularFile)
    assert GuestPath(b"etc/a") not in tree
    assert isinstance(tree[GuestPath(b"usr/lib/x")], Directory)


def test_a_directory_takes_the_place_of_a_link() -> None:
    tree = over_base(shapes.directory(b"lib"), shapes.file(b"lib/new", b"1"))
    assert isinstance(tree[GuestPath(b"lib")], Directory)
    assert GuestPath(b"lib/new") in tree
    assert GuestPath(b"usr/lib/new") not in tree


def test_a_link_to_a_directory_stays_when_asked() -> None:
    layer = Layer(
        tuple(
            members_of(
                shapes.archive(
                    shapes.directory(b"lib", mode=0o700),
                    shapes.file(b"lib/new", b"1"),
                    shapes.directory(b"dangling"),
                )
            )
        )
    )
    tree = overlay(tree_of(BASE), layer, keep_directory_symlinks=True)
    assert isinstance(tree[GuestPath(b"lib")], Symlink)
    assert tree[GuestPath(b"usr/lib")] == Directory(Metadata(0o755))
    assert GuestPath(b"usr/lib/new") in tree
    assert isinstance(tree[GuestPath(b"dangling")], Directory)


def test_the_last_of_duplicates_wins() -> None:
    layer = shapes.archive(shapes.file(b"f", b"1"), shapes.file(b"./f", b"22", mode=0o600))
    tree = tree_of(layer)
    assert text_at(tree, b"f", layer) == b"22"
    assert tree.inode(GuestPath(b"f")).metadata.mode == 0o600


# --- hard links ---------------------------------------------------------------------------


def test_a_hard_link_to_the_layer_below() -> None:
    tree = over_base(shapes.hard_link(b"etc/z", b"etc/a"))
    assert tree[GuestPath(b"etc/z")] == HardLink(GuestPath(b"etc/a"))


def test_a_hard_link_through_a_symbolic_link_stays_inside() -> None:
    tree = over_base(shapes.hard_link(b"hard", b"outside/x"))
    assert tree.inode(GuestPath(b"hard")) is tree.inode(GuestPath(b"usr/lib/x"))


def test_a_hard_link_to_a_symbolic_link_is_one() -> None:
    tree = over_base(shapes.hard_link(b"z", b"lib"))
    assert tree.inode(GuestPath(b"z")) == Symlink(Metadata(0o777), b"usr/lib")


def test_a_hard_link_before_its_target() -> None:
    layer = shapes.archive(
        shapes.hard_link(b"a", b"b"),
        shapes.hard_link(b"c", b"a"),
        shapes.hard_link(b"d/e", b"b"),
        shapes.file(b"b", b"content"),
        shapes.file(b"b", b"newer"),
    )
    tree = tree_of(layer)
    assert [text_at(tree, path, layer) for path in (b"a", b"c", b"d/e")] == [b"content"] * 3
    assert text_at(tree, b"b", layer) == b"newer"


def test_a_hard_link_whose_target_comes_through_a_link() -> None:
    layer = shapes.archive(
        shapes.hard_link(b"early", b"bin/sh"),
        shapes.symlink(b"bin", b"usr/bin"),
        shapes.file(b"usr/bin/sh", b"sh"),
    )
    assert text_at(tree_of(layer), b"early", layer) == b"sh"


def test_an_early_hard_link_that_was_replaced_is_forgotten() -> None:
    layer = shapes.archive(
        shapes.hard_link(b"a", b"b"), shapes.file(b"a", b"own"), shapes.file(b"b", b"other")
    )
    tree = tree_of(layer)
    assert text_at(tree, b"a", layer) == b"own"


def test_a_hard_link_keeps_the_content_its_target_had() -> None:
    layer = shapes.archive(
        shapes.file(b"a", b"old"), shapes.hard_link(b"b", b"a"), shapes.file(b"a", b"new")
    )
    tree = tree_of(layer)
    assert text_at(tree, b"b", layer) == b"old"
    assert text_at(tree, b"a", layer) == b"new"


def test_a_layer_replaces_one_name_of_a_file_only() -> None:
    lower = shapes.archive(shapes.file(b"a", b"old"), shapes.hard_link(b"b", b"a"))
    upper = shapes.archive(shapes.file(b"a", b"new"))
    tree = tree_of(lower, upper)
    assert text_at(tree, b"b", lower, upper) == b"old"
    assert text_at(tree, b"a", lower, upper) == b"new"


def test_two_names_of_one_file_linked_again() -> None:
    layer = shapes.archive(
        shapes.file(b"a", b"1"),
        shapes.hard_link(b"b", b"a"),
        shapes.hard_link(b"a", b"b"),
        shapes.hard_link(b"b", b"b"),
    )
    tree = tree_of(layer)
    assert tree[GuestPath(b"b")] == HardLink(GuestPath(b"a"))


@pytest.mark.parametrize(
    "parts",
    [
        (shapes.hard_link(b"a", b"missing"),),
        (shapes.hard_link(b"a", b"a"),),
        (shapes.hard_link(b"a", b"b"), shapes.hard_link(b"b", b"a")),
        (shapes.hard_link(b"a", b"etc"),),
        (shapes.hard_link(b"a", b"etc/a/b"),),
        (shapes.hard_link(b"a", b"dangling/x"),),
        (shapes.hard_link(b"a", b"d"), shapes.directory(b"d")),
    ],
    ids=["nothing", "itself", "a circle", "a directory", "below a file", "a dead link", "later"],
)
def test_hard_links_to_nothing(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(ArchiveError, match="hard link"):
        over_base(*parts)


# --- whiteouts ----------------------------------------------------------------------------


def test_a_whiteout_hides_the_lower_entry_and_all_below() -> None:
    assert b"etc" not in paths(over_base(shapes.file(b".wh.etc")))
    assert b"etc/a" not in paths(over_base(shapes.file(b"etc/.wh.a")))


@pytest.mark.parametrize("first", ["whiteout", "entry"])
def test_whiteouts_hide_only_lower_layers_wherever_they_stand(first: str) -> None:
    whiteout, entry = shapes.file(b".wh.etc"), shapes.file(b"etc/new", b"1")
    order = (whiteout, entry) if first == "whiteout" else (entry, whiteout)
    found = paths(over_base(*order))
    assert b"etc/new" in found
    assert b"etc/a" not in found


@pytest.mark.parametrize("first", ["marker", "entry"])
def test_an_opaque_marker_hides_all_the_lower_contents(first: str) -> None:
    marker = shapes.file(b"etc/.wh..wh..opq")
    entries = shapes.directory(b"etc", mode=0o711) + shapes.file(b"etc/new", b"1")
    tree = over_base(*((marker, entries) if first == "marker" else (entries, marker)))
    assert [path for path in paths(tree) if path.startswith(b"etc")] == [b"etc", b"etc/new"]
    assert tree[GuestPath(b"etc")] == Directory(Metadata(0o711))


def test_a_whiteout_below_a_link_hides_where_it_leads() -> None:
    assert b"usr/lib/x" not in paths(over_base(shapes.file(b"lib/.wh.x")))
    assert b"usr/lib/x" not in paths(over_base(shapes.file(b"outside/.wh..wh..opq")))


@pytest.mark.parametrize("first", ["whiteout", "directory"])
def test_a_whiteout_in_a_directory_that_replaces_a_link_spares_the_links_target(first: str) -> None:
    whiteout, directory = shapes.file(b"lib/.wh..wh..opq"), shapes.directory(b"lib")
    tree = over_base(*((whiteout, directory) if first == "whiteout" else (directory, whiteout)))
    assert b"usr/lib/x" in paths(tree)
    assert isinstance(tree[GuestPath(b"lib")], Directory)


def test_whiteouts_of_nothing_hide_nothing() -> None:
    before = tree_of(BASE)
    layer = (
        shapes.file(b".wh.missing"),
        shapes.file(b"no/where/.wh.x"),
        shapes.file(b"etc/a/.wh.x"),
    )
    assert tree_of(BASE, shapes.archive(*layer)) == before


def test_a_whiteout_of_one_name_spares_the_file() -> None:
    lower = shapes.archive(shapes.file(b"a", b"1"), shapes.hard_link(b"b", b"a"))
    upper = shapes.archive(shapes.file(b".wh.a"))
    tree = tree_of(lower, upper)
    assert paths(tree) == [b"b"]
    assert text_at(tree, b"b", lower, upper) == b"1"


HOSTILE_WHITEOUTS = [
    b".wh.", b".wh..", b".wh...", b"etc/.wh.", b"etc/.wh..", b"etc/.wh...", b".wh..wh.",
    b".wh..wh.x", b".wh..wh.plnk", b".wh..wh..opq/x",
    b".wh.x/y", b".wh..wh..opq2", b"etc/.wh..wh..wh..opq",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_WHITEOUTS)
def test_hostile_whiteouts(name: bytes) -> None:
    with pytest.raises(UnsafePath):
        over_base(shapes.file(name))


@pytest.mark.parametrize("name", [b"a.wh.b", b"x.wh.", b"wh.x", b".whx"])
def test_names_that_are_no_whiteouts(name: bytes) -> None:
    assert name in paths(over_base(shapes.file(name)))


# --- attempts to leave --------------------------------------------------------------------

ESCAPES = {
    "file below a link upwards": (
        shapes.symlink(b"up", b"../../../.."), shapes.file(b"up/tmp/x", b"1"), b"tmp/x",
    ),
    "file below an absolute link": (
        shapes.symlink(b"to", b"/tmp"), shapes.file(b"to/x", b"1"), b"to/x",
    ),
    "file below an absolute link to a folder": (
        shapes.symlink(b"to", b"/etc"), shapes.file(b"to/x", b"1"), b"etc/x",
    ),
    "link through a link": (
        shapes.symlink(b"one", b"/etc/.."), shapes.symlink(b"two", b"one/../.."),
        shapes.file(b"two/x", b"1"), b"x",
    ),
    "directory through a link": (
        shapes.symlink(b"up", b"../.."), shapes.directory(b"up/deep"),
        shapes.file(b"up/deep/x", b"1"), b"deep/x",
    ),
    "link to itself upwards": (
        shapes.symlink(b"etc/self", b"../etc/../../etc"), shapes.file(b"etc/self/x", b"1"),
        b"etc/x",
    ),
    "a link replaced by a directory": (
        shapes.symlink(b"d", b"/etc"), shapes.directory(b"d"), shapes.file(b"d/x", b"1"), b"d/x",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ESCAPES)
def test_escape_attempts_end_inside_the_root(case: str) -> None:
    *parts, placed = ESCAPES[case]
    tree = over_base(*parts)
    assert isinstance(tree[GuestPath(placed)], RegularFile)
    assert all(b".." not in path.split(b"/") for path in tree)


@pytest.mark.parametrize(
    "parts",
    [
        (shapes.file(b"loop/x"),),
        (shapes.symlink(b"a", b"b"), shapes.symlink(b"b", b"a"), shapes.file(b"a/x")),
        (shapes.hard_link(b"z", b"loop/x"),),
        (shapes.file(b"loop/.wh.x"),),
    ],
    ids=["a link to itself", "a circle", "a hard link", "a whiteout"],
)
def test_loops_of_links(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(UnsafePath, match="loop"):
        over_base(*parts)


def test_forty_links_are_followed_and_no_more() -> None:
    def chain(length: int) -> tuple[bytes, ...]:
        links = [shapes.symlink(b"l%d" % n, b"l%d" % (n + 1)) for n in range(length)]
        return (*links, shapes.directory(b"l%d" % length), shapes.file(b"l0/x", b"1"))

    assert GuestPath(b"l40/x") in tree_of(shapes.archive(*chain(40)))
    with pytest.raises(UnsafePath):
        tree_of(shapes.archive(*chain(41)))


def test_a_root_that_is_no_directory() -> None:
    with pytest.raises(ArchiveError):
        tree_of(shapes.archive(shapes.symlink(b"./", b"/etc")))


def test_very_deep_paths() -> None:
    deep = b"/".join([b"d"] * 2000)
    layer = shapes.archive(shapes.pax({b"path": deep}), shapes.file(b"x", b"1"))
    tree = tree_of(layer)
    assert len(tree) == 2001
    assert len(tree_of(layer, shapes.archive(shapes.file(b".wh.d")))) == 1


def test_missing_parents_cannot_fill_the_memory() -> None:
    parts = []
    for number in range(100):
        deep = b"%d/" % number + b"/".join([b"d"] * 2000)
        parts.append(shapes.pax({b"path": deep}) + shapes.file(b"x"))
    with pytest.raises(ArchiveError, match="parents are missing"):
        tree_of(shapes.archive(*parts))


def test_a_long_chain_of_early_hard_links() -> None:
    count = 3000
    links = [shapes.hard_link(b"%d" % n, b"%d" % (n + 1)) for n in range(count)]
    tree = tree_of(shapes.archive(*links, shapes.file(b"%d" % count, b"1")))
    assert len({id(tree.inode(path)) for path in tree if path}) == 1


def test_the_layer_of_a_tree_makes_it_again() -> None:
    tree = over_base(shapes.hard_link(b"A", b"etc/a"), shapes.hard_link(b"zz", b"etc/a"))
    assert overlay(FileTree(), layer_of(tree)) == tree
