"""The files of depmod: ours must be the same as its."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from bootsmith.image.depmod import depmod
from bootsmith.image.kernel_modules import KernelModules
from bootsmith.tree.contents import read_content
from tests.support.debian_kernel import kernel_package
from tests.support.examples import examples
from tests.support.judges import judge, require
from tests.support.kernel_shapes import VIRTIO, module, package
from tests.support.memory_blobs import MemoryBlobs

# Written by depmod in the order of a hash table, which means nothing.
UNORDERED = {"modules.symbols"}

NAMES = [f"{letter}{mark}{number}" for letter in "abc" for mark in "-_" for number in range(4)]


def ours(modules: KernelModules) -> dict[str, bytes]:
    return depmod(
        modules.closure(found.name for found in modules),
        order=modules.text("modules.order"),
        builtin=modules.text("modules.builtin"),
        builtin_modinfo=modules.text("modules.builtin.modinfo"),
        blobs=modules.blobs,
    )


def judged(modules: KernelModules, folder: Path) -> dict[str, bytes]:
    """What depmod itself makes of the same modules."""
    release = folder / "lib/modules" / modules.release
    for loaded in modules.closure(found.name for found in modules):
        path = release / loaded.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(read_content(loaded.content, blobs=modules.blobs))
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        (release / name).write_text(modules.text(name))
    judge("depmod", "-b", folder, modules.release)
    return {path.name: path.read_bytes() for path in release.glob("modules.*")}


def assert_same(made: dict[str, bytes], wanted: dict[str, bytes]) -> None:
    for name, data in made.items():
        if name in UNORDERED:
            assert sorted(data.splitlines()) == sorted(wanted[name].splitlines())
        else:
            assert data == wanted[name], name


@pytest.mark.judge
def test_depmod_makes_the_same_files(tmp_path: Path) -> None:
    modules = KernelModules(package(VIRTIO), blobs=MemoryBlobs())
    assert_same(ours(modules), judged(modules, tmp_path))


@pytest.mark.judge
def test_the_comparison_is_awake(tmp_path: Path) -> None:
    modules = KernelModules(package(VIRTIO), blobs=MemoryBlobs())
    wanted = judged(modules, tmp_path)
    wanted["modules.dep"] = wanted["modules.dep"].replace(b"virtio_ring.ko", b"virtio_rong.ko")
    with pytest.raises(AssertionError):
        assert_same(ours(modules), wanted)


@pytest.mark.judge
@examples(30, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(NAMES),
            st.lists(st.sampled_from(NAMES), max_size=4),
            st.lists(st.text("ab-_[]*?0", min_size=1, max_size=6), max_size=3),
        ),
        max_size=12,
        unique_by=lambda item: item[0].replace("-", "_"),
    )
)
def test_random_modules(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[tuple[str, list[str], list[str]]]
) -> None:
    require("depmod")
    files, made = {}, []
    for name, uses, aliases in wanted:
        needed = [use for use in dict.fromkeys(uses) if use in made]
        files[f"kernel/{name}.ko"] = module(
            name.replace("-", "_"),
            depends=[use.replace("-", "_") for use in needed],
            imports=[f"symbol_{use}" for use in needed],
            exports=[f"symbol_{name}"],
            alias=[alias for alias in aliases if _has_whole_brackets(alias)],
        )
        made.append(name)
    if not files:
        return
    # Without this, depmod takes the modules as the folder happens to list them.
    files["modules.order"] = "".join(f"{path}\n" for path in files).encode()
    modules = KernelModules(package(files), blobs=MemoryBlobs())
    assert_same(ours(modules), judged(modules, tmp_path_factory.mktemp("depmod")))


@pytest.mark.judge
@pytest.mark.network
def test_depmod_makes_the_same_files_of_debians_kernel(tmp_path: Path) -> None:
    kernel = kernel_package()
    modules = KernelModules(kernel.tree, blobs=kernel)
    assert_same(ours(modules), judged(modules, tmp_path))


@pytest.mark.judge
def test_modprobe_finds_its_way_by_our_files(tmp_path: Path) -> None:
    modules = KernelModules(package(VIRTIO), blobs=MemoryBlobs())
    judged(modules, tmp_path)
    release = tmp_path / "lib/modules" / modules.release
    for name, data in ours(modules).items():
        (release / name).write_bytes(data)
    said = judge(
        "modprobe", "-d", tmp_path, "-S", modules.release, "-n", "-D", "virtio:d00000002v1"
    )
    loads = [line.split()[1].rpartition("/")[2] for line in said.splitlines()]
    assert loads[-1] == "virtio_blk.ko"
    assert set(loads[:-1]) == {"virtio.ko", "virtio_ring.ko"}
    assert judge("modprobe", "-d", tmp_path, "-S", modules.release, "-n", "-D", "fs-ext4") == (
        "builtin ext4\n"
    )


def _has_whole_brackets(alias: str) -> bool:
    """Depmod refuses an alias with an open bracket."""
    depth = 0
    for sign in alias:
        depth += {"[": 1, "]": -1}.get(sign, 0)
        if depth not in (0, 1):
            return False
    return depth == 0
