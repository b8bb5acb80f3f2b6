"""What is put around a tree so that programs run in it."""

from __future__ import annotations

from bootsmith.model.guest_command import GuestFile
from bootsmith.model.guest_path import guest_path
from bootsmith.sandbox.surroundings import surround
from bootsmith.tree.entry import (
    Device,
    Directory,
    InlineBytes,
    Metadata,
    RegularFile,
    Symlink,
)
from bootsmith.tree.file_tree import FileTree, TreeBuilder

PLACES = (b"dev", b"proc", b"run", b"sys", b"tmp")


def tree_of(**links: str) -> FileTree:
    """Links by path, with two underscores for a slash; a folder where the target is empty."""
    builder = TreeBuilder()
    for name, target in sorted(links.items()):
        place = guest_path(name.replace("__", "/"))
        if target:
            builder.put(place, Symlink(Metadata(0o777), target.encode()))
        else:
            builder.ensure_directory(place)
    return builder.build()


def test_what_is_missing_is_added_for_the_run() -> None:
    around = surround(FileTree(), (), mounts=True)
    assert set(around.tree) == {b"", *PLACES}
    assert set(around.temporary) == set(PLACES)
    assert set(around.excluded) == set(PLACES)
    assert around.view._replace(files=()) == (b"dev", b"proc", b"sys", b"run", b"tmp", ())


def test_what_is_there_is_not_temporary() -> None:
    given = tree_of(dev="", proc="", run="", sys="", tmp="")
    around = surround(given, (), mounts=True)
    assert around.tree == given
    assert around.temporary == ()


def test_places_that_are_links_are_followed_inside() -> None:
    around = surround(tree_of(run="/var/run", var="", tmp="../../scratch/tmp"), (), mounts=True)
    assert around.view.run == b"var/run"
    assert around.view.tmp == b"scratch/tmp"
    assert isinstance(around.tree[guest_path("run")], Symlink)
    assert {b"var/run", b"scratch", b"scratch/tmp"} <= set(around.temporary)
    assert b"var" not in around.temporary


def test_a_file_where_a_place_should_be() -> None:
    builder = TreeBuilder()
    builder.put(guest_path("tmp"), RegularFile(Metadata(0o644), InlineBytes(b"x")))
    around = surround(builder.build(), (), mounts=True)
    assert isinstance(around.tree[guest_path("tmp")], Directory)
    assert b"tmp" in around.excluded


def test_a_loop_of_links_ends() -> None:
    around = surround(tree_of(tmp="run", run="tmp"), (), mounts=True)
    assert isinstance(around.tree[around.view.tmp], Directory)  # type: ignore[index]


FILES = (
    GuestFile(path=guest_path("etc/new"), content=b"new", mode=0o600),
    GuestFile(path=guest_path("tmp/deep/new"), content=b"late"),
    GuestFile(path=guest_path("etc/old"), content=b"over"),
)


def with_old() -> FileTree:
    builder = TreeBuilder(tree_of(etc=""))
    builder.put(guest_path("etc/old"), RegularFile(Metadata(0o644), InlineBytes(b"old")))
    return builder.build()


def test_files_with_mounts() -> None:
    around = surround(with_old(), FILES, mounts=True)
    assert around.tree[guest_path("etc/new")] == RegularFile(Metadata(0o600), InlineBytes(b"new"))
    assert b"etc/new" in around.temporary
    assert [(shown.path, shown.covers) for shown in around.view.files] == [
        (b"tmp/deep/new", False),
        (b"etc/old", True),
    ]
    assert guest_path("tmp/deep/new") not in around.tree


def test_files_without_mounts() -> None:
    around = surround(with_old(), FILES, mounts=False)
    assert around.view.files == ()
    assert guest_path("tmp/deep/new") in around.tree
    old = around.tree[guest_path("etc/old")]
    assert old == RegularFile(Metadata(0o644), InlineBytes(b"old"))


def test_devices_without_mounts() -> None:
    around = surround(FileTree(), (), mounts=False)
    null = Device(Metadata(0o666), is_block=False, major=1, minor=3)
    assert around.tree[guest_path("dev/null")] == null
    assert surround(FileTree(), (), mounts=True).tree.get(guest_path("dev/null")) is None
