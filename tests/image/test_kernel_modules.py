"""Modules of a kernel's package: what they need, and the order in which they load."""

from __future__ import annotations

import gzip
import lzma

import pytest

from bootsmith.errors import ArchiveError, ImageError
from bootsmith.image.compression import Compression, compressed
from bootsmith.image.kernel_modules import KernelModules
from bootsmith.image.module_info import module_info, module_name, module_symbols, softdep_before
from bootsmith.tree.contents import read_content
from bootsmith.tree.file_tree import FileTree, TreeBuilder
from tests.support.kernel_shapes import RELEASE, VIRTIO, elf, module, package
from tests.support.memory_blobs import MemoryBlobs


def modules_of(files: dict[str, bytes], **options: str) -> KernelModules:
    return KernelModules(package(files, **options), blobs=MemoryBlobs())


def names(modules: KernelModules, *wanted: str) -> list[str]:
    return [loaded.name for loaded in modules.closure(wanted)]


def test_what_a_module_says_of_itself() -> None:
    data = module(
        "some",
        depends=["a", "b-c"],
        alias=["pci:v1d2*", "x"],
        softdep="pre: d post: e",
        machine=183,
    )
    info = module_info(data)
    assert info.depends == ("a", "b-c")
    assert info.aliases == ("pci:v1d2*", "x")
    assert info.softdeps == ("pre: d post: e",)
    assert (info.release, info.machine) == (RELEASE, 183)
    symbols = module_symbols(module("some", imports=["printk", "f"], exports=["g"]))
    assert (symbols.imports, symbols.exports) == ((b"printk", b"f"), (b"g",))


@pytest.mark.parametrize(
    ("softdep", "before"),
    [
        ("pre: a b post: c", ("a", "b")),
        ("post: c pre: a", ("a",)),
        ("a b", ()),
        ("", ()),
    ],
)
def test_soft_dependencies(softdep: str, before: tuple[str, ...]) -> None:
    assert softdep_before(softdep) == before


@pytest.mark.parametrize(
    "file", ["virtio-rng", "kernel/drivers/virtio-rng.ko", "virtio_rng.ko.xz", "/a.b/virtio-rng.ko"]
)
def test_names_of_modules(file: str) -> None:
    assert module_name(file) == "virtio_rng"


def test_needed_modules_come_before_their_users() -> None:
    modules = modules_of(VIRTIO)
    assert modules.release == RELEASE
    assert names(modules, "virtio_blk") == ["virtio_ring", "virtio", "virtio_blk"]
    assert names(modules, "virtio-rng", "virtio_blk", "virtio_rng") == [
        "virtio_ring", "virtio", "virtio_rng", "virtio_blk",
    ]  # fmt: skip


def test_what_is_built_in_needs_no_module() -> None:
    modules = modules_of(
        {
            "kernel/a.ko": module("a", depends=["crc32"]),
            "modules.builtin": b"kernel/lib/crc32.ko\n",
        }
    )
    assert names(modules, "a", "crc32") == ["a"]
    assert modules.offers("crc32")
    assert not modules.offers("ext4")


def test_a_needed_module_that_is_absent() -> None:
    modules = modules_of({"kernel/a.ko": module("a", depends=["gone"])})
    with pytest.raises(ImageError, match="needs gone"):
        names(modules, "a")


@pytest.mark.parametrize(
    ("builtin", "files", "order"),
    [
        (b"", ["crc32c_generic"], ["crc32c_generic", "fs"]),
        (b"", ["crc32c_generic", "crc32c"], ["crc32c", "fs"]),
        (b"kernel/crypto/crc32c_generic.ko\n", ["crc32c_intel"], ["fs"]),
        (b"kernel/crypto/crc32c.ko\n", ["crc32c_generic"], ["fs"]),
        (b"", [], ["fs"]),
    ],
    ids=["portable", "by name", "portable is built in", "built in", "absent"],
)
def test_soft_dependencies_are_met_where_they_can(
    builtin: bytes, files: list[str], order: list[str]
) -> None:
    made = {f"kernel/{name}.ko": module(name) for name in files}
    fs = {"kernel/fs.ko": module("fs", softdep="pre: crypto-crc32c crc32c")}
    modules = modules_of({**made, **fs, "modules.builtin": builtin})
    found = names(modules, "fs")
    assert found[-1] == "fs"
    assert set(order) <= set(found)


def test_modules_that_need_each_other_do_not_hang() -> None:
    modules = modules_of(
        {"kernel/a.ko": module("a", softdep="pre: b"), "kernel/b.ko": module("b", softdep="pre: a")}
    )
    assert names(modules, "a") == ["b", "a"]


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        (".ko", bytes),
        (".ko.gz", gzip.compress),
        (".ko.xz", lzma.compress),
        (".ko.zst", lambda data: compressed(data, Compression.ZSTD)),
    ],
)
def test_modules_come_uncompressed_whatever_they_were(suffix, pack) -> None:  # type: ignore[no-untyped-def]
    plain = module("a")
    modules = modules_of({f"kernel/x/a{suffix}": pack(plain)})
    (loaded,) = modules.closure(["a"])
    assert loaded.path == "kernel/x/a.ko"
    assert read_content(loaded.content, blobs=MemoryBlobs()) == plain


def test_updates_win_over_the_kernels_own() -> None:
    files = {"kernel/a.ko": module("a", alias="old"), "updates/a.ko": module("a", alias="new")}
    (loaded,) = modules_of(files).closure(["a"])
    assert loaded.info.aliases == ("new",)


def test_modules_below_usr() -> None:
    assert modules_of({"kernel/a.ko": module("a")}, folder="usr/lib").find("a")


def test_packages_without_modules_or_with_several_kernels() -> None:
    with pytest.raises(ImageError, match="no modules"):
        KernelModules(FileTree(), blobs=MemoryBlobs())
    builder = TreeBuilder(package({"kernel/a.ko": module("a")}, release="6.1"))
    for path, entry in package({"kernel/a.ko": module("a")}, release="6.2").items():
        builder.put(path, entry)
    both = builder.build()
    with pytest.raises(ImageError, match=r"several kernels: 6\.1, 6\.2"):
        KernelModules(both, blobs=MemoryBlobs())
    assert KernelModules(both, blobs=MemoryBlobs(), release="6.2").release == "6.2"
    with pytest.raises(ImageError, match=r"no modules of the kernel 7 "):
        KernelModules(both, blobs=MemoryBlobs(), release="7")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no ELF at all",
        module("a")[:40],
        module("a")[:200],
        module("a")[:-70],
        elf({".text": (1, b"", 0)}),
        b"\x7fELF\x01" + module("a")[5:],
    ],
    ids=["empty", "text", "header cut", "sections cut", "table cut", "no modinfo", "32 bits"],
)
def test_files_that_are_no_modules(data: bytes) -> None:
    with pytest.raises(ArchiveError):
        module_info(data)
