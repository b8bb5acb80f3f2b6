"""Roots of Alpine systems as archives: made of packages on the spot, and changed by their users."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bootsmith.model.guest_path import guest_path
from bootsmith.sources.alpine.finish import finish
from bootsmith.sources.alpine.install import install
from bootsmith.sources.alpine.minirootfs import BaseRoot, read_minirootfs
from bootsmith.sources.alpine.opened import OpenedApks
from bootsmith.sources.alpine.package import ApkPackage
from bootsmith.sources.alpine.unpacked import UnpackedApk, admit_apk
from bootsmith.sources.alpine.world import parse_world
from bootsmith.store.blobs import Store
from bootsmith.tree.entry import Entry, InlineBytes, Metadata, RegularFile
from bootsmith.tree.file_tree import FileTree, TreeBuilder
from bootsmith.tree.layer import layer_of
from bootsmith.tree.tar_writer import store_tar
from tests.support.alpine_repository import Apk
from tests.support.real_alpine import chosen_apk


def unpacked(store: Store, *apks: Apk) -> tuple[UnpackedApk, ...]:
    """Packages of ours, admitted to ``store`` and opened."""
    chosen = []
    for one in apks:
        text = "\n".join(f"{letter}:{value}" for letter, value in one.fields.items())
        package = ApkPackage.from_paragraph(text, where="here")
        file = store.add_blob([one.data]).digest
        admit_apk(package, file, store=store)
        chosen.append(chosen_apk(package, file))
    return OpenedApks(store).open(chosen)


def system(
    store: Store, *apks: Apk, base: BaseRoot | None = None, world: Iterable[str] = ()
) -> FileTree:
    """What ``apks`` are as a system with apk's database, on top of ``base``."""
    return finish(
        install(
            unpacked(store, *apks),
            blobs=store,
            base=base.tree if base else None,
            returned=base.returned if base else (),
        ),
        arch="x86_64",
        world=parse_world(world),
        repositories=(),
        keys={},
        epoch_s=0,
        blobs=store,
    )


def changed(tree: FileTree, change: Callable[[TreeBuilder], object]) -> FileTree:
    builder = TreeBuilder(tree)
    change(builder)
    return builder.build()


def put(builder: TreeBuilder, path: str, entry: Entry | bytes) -> None:
    """Set ``path``; bytes are a file of everybody's."""
    if isinstance(entry, bytes):
        entry = RegularFile(Metadata(0o644), InlineBytes(entry))
    builder.put(builder.place(guest_path(path)), entry)


def packed(tree: FileTree, store: Store) -> bytes:
    """``tree`` as a tar."""
    descriptor, _ = store_tar(layer_of(tree).members, store=store)
    source = store.open_blob(descriptor.digest)
    return source.read_at(0, source.size_bytes)


def opened(tar: bytes, store: Store, *, arch: str = "x86_64") -> BaseRoot:
    """The root in ``tar``.  Raises what ``read_minirootfs`` raises."""
    blob = store.add_blob([tar]).digest
    return read_minirootfs(store.open_blob(blob), blob, arch=arch, blobs=store)
