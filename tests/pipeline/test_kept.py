"""A stage is done once for the same inputs, and again when what was kept is no longer whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootsmith.model.guest_path import GuestPath
from bootsmith.pipeline.boot_layer import BootLayer
from bootsmith.pipeline.distribution import InstalledRoot
from bootsmith.pipeline.kept import kept_boot, kept_root
from bootsmith.store.blobs import Store
from bootsmith.tree.entry import BlobSlice, Directory, InlineBytes, Member, Metadata, RegularFile
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer


class _Roots:
    """Makes a root whose file lies in the store, and counts."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.made = 0

    def __call__(self) -> InstalledRoot:
        self.made += 1
        kept = self._store.add_blob([b"content"])
        file = RegularFile(Metadata(0o644), BlobSlice(kept.digest, 0, 7))
        return InstalledRoot(tree=FileTree({GuestPath(b"file"): file}), epoch_s=-5)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_the_same_inputs_are_made_once(store: Store) -> None:
    make = _Roots(store)
    first = kept_root(store, {"step": "a"}, make)
    assert kept_root(store, {"step": "a"}, make) == first == _Roots(store)()
    assert make.made == 1
    kept_root(store, {"step": "b"}, make)
    assert make.made == 2


def test_a_root_whose_blobs_are_gone_is_made_again(store: Store) -> None:
    make = _Roots(store)
    found = kept_root(store, {}, make)
    file = found.tree.inode(GuestPath(b"file"))
    assert isinstance(file, RegularFile)
    assert isinstance(file.content, BlobSlice)
    store.blobs.path(file.content.blob).unlink()
    again = Store(store.root)
    assert kept_root(again, {}, make) == found
    assert make.made == 2
    assert again.has(file.content.blob)


def test_a_boot_layer_comes_back_whole(store: Store) -> None:
    plain = Metadata(0o644)
    modules = Layer(
        (
            Member(GuestPath(b"lib/modules"), Directory(Metadata(0o755))),
            Member(GuestPath(b"lib/modules/a.ko"), RegularFile(plain, InlineBytes(b"a"))),
        )
    )
    initramfs = FileTree({GuestPath(b"init"): RegularFile(Metadata(0o755), InlineBytes(b"i"))})
    boot = BootLayer(kernel=InlineBytes(b"k"), initramfs=initramfs, modules=modules)
    assert kept_boot(store, {}, lambda: boot) == boot

    def never() -> BootLayer:
        raise AssertionError

    assert kept_boot(store, {}, never) == boot
    dated = boot.dated(7)
    times = {entry.metadata.mtime_ns for _, entry in dated.modules.members}  # type: ignore[union-attr]
    assert times == {7_000_000_000}
    assert dated.initramfs.inode(GuestPath(b"init")).metadata.mtime_ns == 7_000_000_000
