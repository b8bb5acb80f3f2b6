"""Modules beside those of the kernel's package are found by modprobe."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Mapping
from pathlib import Path

import pytest

from bootsmith.host.namespaces import namespace_support
from bootsmith.image.boot_modules import guest_modules
from bootsmith.image.kernel_modules import KernelModules
from bootsmith.model.guest_path import display, guest_path
from bootsmith.model.reporter import Silent
from bootsmith.pipeline.added_modules import index_added_modules
from bootsmith.sdk.image import Image
from bootsmith.sdk.vm import VM
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import Metadata, RegularFile, Symlink
from bootsmith.tree.file_tree import FileTree, TreeBuilder
from bootsmith.tree.layer import Layer, layer_of, overlay
from tests.support.alpine_mirrors import generated_mirror, linux_virt
from tests.support.alpine_repository import apk
from tests.support.debian_images import build
from tests.support.debian_kernel import kernel_package
from tests.support.judges import judge, require, unavailable
from tests.support.kernel_shapes import RELEASE, VIRTIO, module, package
from tests.support.memory_blobs import MemoryBlobs

FOLDER = f"lib/modules/{RELEASE}/"
ADDED = {
    "extra/two.ko.xz": lzma.compress(module("two", imports=["of_one"])),
    "extra/one.ko": module("one", imports=["register_virtio_driver"], exports=["of_one"]),
}


class Heard(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def kernel() -> KernelModules:
    return KernelModules(package(VIRTIO), blobs=MemoryBlobs())


def finished(
    modules: Layer, added: Mapping[str, bytes], reporter: Silent | None = None
) -> FileTree:
    """The tree of an image that has ``modules`` and then what was ``added`` to them."""
    tree = overlay(overlay(FileTree(), modules), layer_of(package(added)))
    return index_added_modules(
        tree, modules, epoch_s=7, blobs=MemoryBlobs(), reporter=reporter or Silent()
    )


def files_of(tree: FileTree) -> dict[str, bytes]:
    return {
        display(path).removeprefix(FOLDER): read_content(entry.content, blobs=MemoryBlobs())
        for path, entry in tree.items()
        if isinstance(entry, RegularFile)
    }


@pytest.mark.judge
def test_the_index_is_depmods_of_all_modules_that_are_there(tmp_path: Path) -> None:
    files = files_of(finished(guest_modules(kernel()), ADDED))
    for name, data in files.items():
        path = tmp_path / FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    known = ("-d", tmp_path, "-S", RELEASE, "--show-depends", "two")
    assert [line.split()[1] for line in judge("modprobe", *known).splitlines()] == [
        f"{tmp_path}/{FOLDER}{name}"
        for name in ("kernel/drivers/virtio/virtio.ko", "extra/one.ko", "extra/two.ko.xz")
    ]
    judge("depmod", "-b", tmp_path, RELEASE)
    for name in ("modules.dep", "modules.alias", "modules.softdep", "modules.devname"):
        # Which of those that the kernel's package does not list comes first means nothing.
        wanted = (tmp_path / FOLDER / name).read_bytes().splitlines()
        assert sorted(files[name].splitlines()) == sorted(wanted), name


def test_without_any_the_tree_is_as_it_was() -> None:
    modules = guest_modules(kernel())
    assert finished(modules, {}) == overlay(FileTree(), modules)


def test_an_index_that_the_user_made_for_a_tree_without_ours_stays() -> None:
    assert set(files_of(finished(Layer(()), ADDED))) == set(ADDED)


def test_a_file_that_is_no_module_is_told_and_the_others_are_indexed() -> None:
    heard = Heard()
    files = files_of(finished(guest_modules(kernel()), {**ADDED, "extra/no.ko": b"?"}, heard))
    (warning,) = heard.warnings
    assert warning.startswith(f"extra/no.ko of {RELEASE} is no kernel module: ")
    assert b"extra/two.ko.xz: extra/one.ko " in files["modules.dep"]


def test_what_lies_below_usr_beside_lib_is_nobodys_module() -> None:
    modules = guest_modules(kernel())
    tree = overlay(overlay(FileTree(), modules), layer_of(package(ADDED, folder="usr/lib")))
    assert tree == index_added_modules(
        tree, modules, epoch_s=7, blobs=MemoryBlobs(), reporter=Silent()
    )


def test_they_are_found_in_a_merged_usr() -> None:
    builder = TreeBuilder()
    builder.ensure_directory(guest_path("usr/lib"))
    builder.put(guest_path("lib"), Symlink(Metadata(0o777), b"usr/lib"))
    modules = guest_modules(kernel())
    tree = overlay(overlay(builder.build(), modules), layer_of(package(ADDED, folder="usr/lib")))
    done = index_added_modules(tree, modules, epoch_s=7, blobs=MemoryBlobs(), reporter=Silent())
    index = done.inode(guest_path(f"usr/lib/modules/{RELEASE}/modules.dep"))
    assert isinstance(index, RegularFile)
    assert b"extra/two.ko.xz: " in read_content(index.content, blobs=MemoryBlobs())


@pytest.mark.network  # where Debian's kernel is not cached yet
@pytest.mark.boot
@pytest.mark.slow
def test_a_module_of_another_package_and_one_of_the_users_are_loaded(tmp_path: Path) -> None:
    """Real ones, which the kernel's package at hand happens to lack."""
    require("qemu-system-x86_64")
    if namespace_support().kind == "none":
        unavailable(namespace_support().reason)
    ours = kernel_package()
    modules = KernelModules(ours.tree, blobs=ours)
    packed, copied = (_module(modules, name) for name in ("grace", "configfs"))
    (tmp_path / "copied.ko").write_bytes(copied)
    place = f"lib/modules/{modules.release}/extra/grace.ko.gz"
    driver = apk(name="driver", files={place: gzip.compress(packed, mtime=0)}, depends="linux-virt")
    offered = [linux_virt(modules="default"), driver]
    with generated_mirror(tmp_path / "mirror", community=offered) as mirror:
        config = mirror.config(
            "linux-virt", "driver",
            postBuild={
                "copy": [
                    {
                        "src": str(tmp_path / "copied.ko"),
                        "dest": f"/lib/modules/{modules.release}/updates/configfs.ko",
                    }
                ]
            },
        )  # fmt: skip
        env = {"BOOTSMITH_CACHE_DIR": str(tmp_path / "store")}
        build(tmp_path / "image", "--config", config, env=env)
    with VM(Image.open(tmp_path / "image")) as vm:
        done = vm.exec("modprobe grace && modprobe configfs; cut -d' ' -f1 /proc/modules")
    assert done.exit_code == 0
    assert {"grace", "configfs"} <= set(done.stdout.split()), done.stderr


def _module(modules: KernelModules, name: str) -> bytes:
    found = modules.find(name)
    assert found is not None
    return read_content(modules.load(found).content, blobs=modules.blobs)
