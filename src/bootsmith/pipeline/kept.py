"""What the store keeps of a build's stages, so that a build begins where it differs from others.

A stage's result is kept as a list of members that says where their content lies
(``tree.member_list``), under a key of everything the stage depends on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bootsmith.errors import ArchiveError
from bootsmith.host.environment import own_sources_digest
from bootsmith.model.canonical_json import Json, digest_of
from bootsmith.model.guest_path import GuestPath
from bootsmith.pipeline.boot_layer import BootLayer
from bootsmith.pipeline.distribution import InstalledRoot
from bootsmith.store.blobs import Store
from bootsmith.tree.entry import Member, Metadata, RegularFile
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer, layer_of
from bootsmith.tree.member_list import MemberList, decode_members, encode_members

_KERNEL, _INITRAMFS, _MODULES = b"kernel", b"initramfs/", b"modules/"


def kept_root(store: Store, inputs: Json, make: Callable[[], InstalledRoot]) -> InstalledRoot:
    """What ``make`` returns, or what it returned for the same ``inputs`` before."""

    def members() -> MemberList:
        root = make()
        return MemberList(layer_of(root.tree).members, note=str(root.epoch_s))

    found = _kept(store, "installed-root", inputs, members)
    return InstalledRoot(tree=FileTree(dict(found.members)), epoch_s=int(found.note))


def kept_boot(store: Store, inputs: Json, make: Callable[[], BootLayer]) -> BootLayer:
    """What ``make`` returns, or what it returned for the same ``inputs`` before."""

    def members() -> MemberList:
        boot = make()
        kernel = Member(GuestPath(_KERNEL), RegularFile(Metadata(0o644), boot.kernel))
        return MemberList(
            (
                kernel,
                *_below(_INITRAMFS, layer_of(boot.initramfs).members),
                *_below(_MODULES, boot.modules.members),
            )
        )

    kernel, *others = _kept(store, "boot-layer", inputs, members).members
    assert isinstance(kernel.entry, RegularFile)
    return BootLayer(
        kernel=kernel.entry.content,
        initramfs=FileTree(dict(_inside(_INITRAMFS, others))),
        modules=Layer(tuple(_inside(_MODULES, others))),
    )


def _kept(store: Store, kind: str, inputs: Json, make: Callable[[], MemberList]) -> MemberList:
    key = digest_of({"inputs": inputs, "code": str(own_sources_digest())})
    record = store.derived(kind, key)
    if record is not None:
        source = store.open_blob(record.digest)
        try:
            found = decode_members(source.read_at(0, source.size_bytes))
        except ArchiveError:
            found = None  # by another version of a library: it is only a cache, make it again
        if found is not None and all(map(store.has, found.blobs)):
            return found
    made = make()
    store.record_derived(kind, key, store.add_blob([encode_members(made)]))
    return made


def _below(folder: bytes, members: Iterable[Member]) -> list[Member]:
    return [Member(GuestPath(folder + path), entry) for path, entry in members]


def _inside(folder: bytes, members: Iterable[Member]) -> list[Member]:
    return [
        Member(GuestPath(path[len(folder) :]), entry)
        for path, entry in members
        if path.startswith(folder)
    ]
