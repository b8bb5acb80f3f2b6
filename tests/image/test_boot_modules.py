"""Which modules go where, and the initramfs made of them."""

from __future__ import annotations

import pytest

from bootsmith.errors import ImageError
from bootsmith.image.boot_modules import LOAD_LIST, guest_modules, initramfs_modules, load_list
from bootsmith.image.compression import Compression
from bootsmith.image.cpio import read_cpio
from bootsmith.image.decompression import decompressed
from bootsmith.image.initramfs import initramfs_tree, write_initramfs
from bootsmith.image.kernel_modules import KernelModules
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import guest_path
from bootsmith.model.streams import BytesSink, BytesSource
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import Device, Directory, InlineBytes, Metadata, RegularFile, Symlink
from bootsmith.tree.file_tree import FileTree, TreeBuilder
from bootsmith.tree.layer import Layer, overlay
from tests.support.debian_kernel import kernel_package
from tests.support.kernel_shapes import RELEASE, VIRTIO, module, package
from tests.support.memory_blobs import MemoryBlobs

INIT = InlineBytes(b"#!/bin/true\n")


def kernel(files: dict[str, bytes]) -> KernelModules:
    return KernelModules(package(files), blobs=MemoryBlobs())


def without(name: str) -> dict[str, bytes]:
    return {path: data for path, data in VIRTIO.items() if f"/{name}.ko" not in path}


def text_of(tree: FileTree, path: str) -> bytes:
    inode = tree.inode(guest_path(path))
    assert isinstance(inode, RegularFile)
    return read_content(inode.content, blobs=MemoryBlobs())


def test_both_transports_and_every_device_of_a_boot() -> None:
    assert [loaded.name for loaded in initramfs_modules(kernel(VIRTIO))] == [
        "virtio_ring", "virtio", "virtio_pci", "virtio_mmio", "virtio_blk", "virtio_console",
        "virtio_net", "virtio_rng",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["virtio_pci", "virtio_mmio", "virtio_blk", "virtio_console", "virtio_net"]
)
def test_a_kernel_that_lacks_a_driver_is_refused(name: str) -> None:
    with pytest.raises(ImageError, match=name) as caught:
        initramfs_modules(kernel(without(name)))
    assert caught.value.hint


@pytest.mark.parametrize("name", ["virtio_pci", "virtio_blk", "virtio_net"])
def test_a_driver_that_is_built_in_needs_no_module(name: str) -> None:
    builtin = VIRTIO["modules.builtin"] + f"kernel/drivers/{name}.ko\n".encode()
    loaded = initramfs_modules(kernel({**without(name), "modules.builtin": builtin}))
    assert name not in [item.name for item in loaded]


def test_a_kernel_without_random_numbers_of_the_host_still_boots() -> None:
    assert initramfs_modules(kernel(without("virtio-rng")))


def test_the_root_file_system_must_be_readable() -> None:
    with pytest.raises(ImageError, match="erofs \\(the root file system\\)"):
        initramfs_modules(kernel(VIRTIO), root_filesystem="erofs")
    files = {**VIRTIO, "kernel/fs/erofs/erofs.ko": module("erofs", depends=["crc32"])}
    assert initramfs_modules(kernel(files), root_filesystem="erofs")[-1].name == "erofs"


def test_the_guest_gets_what_a_vm_can_use() -> None:
    layer = guest_modules(kernel(VIRTIO))
    paths = [member.path for member in layer.members]
    base = f"lib/modules/{RELEASE}".encode()
    assert paths == sorted(paths)
    assert paths[0] == b"lib/modules"
    assert base + b"/kernel/drivers/net/virtio_net.ko" in paths
    assert base + b"/kernel/fs/fuse/fuse.ko" in paths
    assert base + b"/kernel/drivers/hid/hid.ko" not in paths
    assert base + b"/modules.dep.bin" in paths
    tree = overlay(FileTree(), layer)
    assert text_of(tree, f"lib/modules/{RELEASE}/{LOAD_LIST}") == (
        f"/lib/modules/{RELEASE}/kernel/fs/fuse/fuse.ko\n".encode()
    )


def test_all_modules_on_request() -> None:
    layer = guest_modules(kernel(VIRTIO), selection="all")
    assert any(member.path.endswith(b"hid.ko") for member in layer.members)


def test_modules_go_through_a_merged_usr() -> None:
    builder = TreeBuilder()
    builder.ensure_directory(guest_path("usr/lib"))
    builder.put(guest_path("lib"), Symlink(Metadata(0o777), b"usr/lib"))
    tree = overlay(builder.build(), guest_modules(kernel(VIRTIO)))
    assert isinstance(tree[guest_path("lib")], Symlink)
    assert guest_path(f"usr/lib/modules/{RELEASE}/modules.dep") in tree


def test_the_initramfs_holds_init_and_its_modules() -> None:
    modules = initramfs_modules(kernel(VIRTIO))
    tree = initramfs_tree(init=INIT, modules=modules, release=RELEASE)
    console = Metadata(0o600)
    assert tree[guest_path("dev/console")] == Device(console, is_block=False, major=5, minor=1)
    assert tree.inode(guest_path("init")).metadata.mode == 0o755
    for folder in ("dev", "proc", "sys", "newroot"):
        assert isinstance(tree[guest_path(folder)], Directory)
    lines = text_of(tree, LOAD_LIST).decode().splitlines()
    assert [line.rpartition("/")[2] for line in lines][:3] == [
        "virtio_ring.ko", "virtio.ko", "virtio_pci.ko",
    ]  # fmt: skip
    assert all(guest_path(line) in tree for line in lines)
    assert text_of(tree, LOAD_LIST) == load_list(modules, release=RELEASE)


@pytest.mark.parametrize("compression", Compression)
def test_an_initramfs_is_the_same_bytes_every_time(compression: Compression) -> None:
    def made() -> bytes:
        tree = initramfs_tree(init=INIT, modules=initramfs_modules(kernel(VIRTIO)), release=RELEASE)
        sink = BytesSink()
        write_initramfs(tree, blobs=MemoryBlobs(), sink=sink, compression=compression)
        return bytes(sink.data)

    data = made()
    assert made() == data
    plain = decompressed(data)
    members = tuple(read_cpio(BytesSource(plain), blob=Digest.of(plain)))
    assert guest_path("init") in overlay(FileTree(), Layer(members))


@pytest.mark.network
def test_debians_kernel_needs_a_dozen_modules() -> None:
    package_ = kernel_package()
    modules = KernelModules(package_.tree, blobs=package_)
    names = [loaded.name for loaded in initramfs_modules(modules)]
    assert {"virtio_pci", "virtio_mmio", "virtio_blk", "virtio_console"} <= set(names)
    assert len(names) <= 15
    for loaded in initramfs_modules(modules):
        before = names[: names.index(loaded.name)]
        needed = [name for name in loaded.info.depends if name not in modules.builtin]
        assert set(needed) <= set(before)
