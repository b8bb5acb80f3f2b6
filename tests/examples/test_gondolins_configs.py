"""Gondolin's own configs are loaded and planned, and those of Alpine are built and started."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bootsmith.config.idle_parts import idle_part_problems
from bootsmith.config.parse import parse_config
from bootsmith.host.namespaces import namespace_support
from bootsmith.model.arch import Arch
from bootsmith.plan.alpine import BASE
from bootsmith.sdk.image import Image
from bootsmith.sdk.vm import VM
from bootsmith.sdk.vm_options import VMOptions
from tests.examples.planning import planned
from tests.support.alpine_mirrors import AlpineMirror, generated_mirror
from tests.support.debian_images import bootsmith, build
from tests.support.gondolin_configs import (
    OCI,
    PACKAGES,
    SHARE,
    fields_like,
    small_packages,
    upstream_fields,
)
from tests.support.judges import require, unavailable

# Runs before the agent: a file system of its own, and something that goes on beside.
_EXTRA = """\
mkdir -p /run/extra
mount -t tmpfs -o mode=0700 tmpfs /run/extra
(sleep 0.1; echo "extra of $0" >/run/extra/log) &
export EXTRA=read
"""

boots = [pytest.mark.network, pytest.mark.boot]  # network: where Debian's kernel is not cached yet


@pytest.mark.parametrize("name", [*PACKAGES, *OCI])
def test_it_loads_without_a_word_and_is_planned(name: str, tmp_path: Path) -> None:
    fields = upstream_fields(name)
    config = parse_config(fields, origin=name, strict=True)
    assert not list(idle_part_problems(fields, config))
    lock = planned(config, tmp_path)
    assert {package.name for package in lock.packages} == {*BASE, *config.alpine.rootfs_packages}
    assert lock.arch is (config.arch or Arch.X86_64)


@pytest.mark.parametrize("name", PACKAGES)
def test_what_is_said_of_it_here_is_what_it_says(name: str) -> None:
    assert fields_like(name) == upstream_fields(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", OCI)
def test_one_of_oci_is_refused_before_any_work(name: str, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(upstream_fields(name)))
    done = bootsmith(
        "build", "--config", config, "--output", tmp_path / "image",
        env={"BOOTSMITH_CACHE_DIR": str(tmp_path / "cache")},
    )  # fmt: skip
    assert done.returncode == 2
    assert b"oci: OCI images cannot be built from yet" in done.stderr
    assert list(tmp_path.iterdir()) == [config]


@dataclass(frozen=True, slots=True)
class Made:
    """What was made of the config ``name``, and where."""

    name: str
    mirror: AlpineMirror
    image: Path


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlpineMirror]:
    if namespace_support().kind == "none":
        unavailable(namespace_support().reason)
    names = {name for packages in PACKAGES.values() for name in packages}
    folder = tmp_path_factory.mktemp("gondolin") / "mirror"
    with generated_mirror(folder, community=small_packages(names)) as served:
        yield served


@pytest.fixture(scope="module", params=PACKAGES)
def made(request: pytest.FixtureRequest, mirror: AlpineMirror) -> Made:
    name: str = request.param
    image = mirror.folder / name
    made_of(fields_like(name), image, mirror, "--arch", "x86_64")
    return Made(name, mirror, image)


def made_of(fields: dict[str, Any], image: Path, mirror: AlpineMirror, *words: str) -> None:
    """Build ``fields`` as they are, but for the mirror and its key."""
    extra = fields.get("init", {}).get("rootfsInitExtra")
    if extra is not None:
        (mirror.folder / extra).write_text(_EXTRA)
    env = {"BOOTSMITH_CACHE_DIR": str(mirror.folder / "store")}
    build(image, "--config", mirror.adapted(fields), "--strict", *words, env=env)


@pytest.mark.parametrize("made", PACKAGES, indirect=True)
class TestAlpine:
    pytestmark = boots

    def test_it_starts_with_its_packages(self, made: Made) -> None:
        require("qemu-system-x86_64")
        with VM(Image.open(made.image)) as vm:
            assert_right(vm, made.name)

    def test_gondolins_own_file_makes_the_same_image(self, made: Made, tmp_path: Path) -> None:
        fields = upstream_fields(made.name)
        made_of(fields, tmp_path / "image", made.mirror, "--arch", "x86_64")
        assert checksums(tmp_path / "image") == checksums(made.image)


@pytest.mark.network
@pytest.mark.boot
@pytest.mark.slow
def test_the_minimal_one_is_built_and_started_for_its_own_architecture(tmp_path: Path) -> None:
    """No emulator is registered with the kernel: a machine runs the scripts, emulated."""
    arch = Arch.AARCH64
    require(arch.qemu_system)
    packages = small_packages(PACKAGES["minimal"], arch=arch)
    with generated_mirror(tmp_path / "mirror", community=packages, arch=arch) as served:
        made_of(fields_like("minimal"), tmp_path / "image", served)
    with VM(Image.open(tmp_path / "image"), options=VMOptions(memory_mib=512)) as vm:
        assert vm.exec("uname -m", timeout_s=60).stdout == "aarch64\n"
        assert_right(vm, "minimal")


def assert_right(vm: VM, name: str) -> None:
    """The guest has all that the config asks for, and its scripts and commands have run."""
    own = {*PACKAGES[name]} - {"linux-virt"}
    assert set(vm.exec(f"ls /{SHARE} 2>/dev/null").stdout.split()) == own
    assert {*PACKAGES[name], *BASE} == set(vm.exec("apk info").stdout.split())
    if "init" in fields_like(name):
        assert vm.exec("sleep 0.2; cat /run/extra/log").stdout == "extra of /init\n"
        assert vm.exec('echo "$EXTRA"').stdout == "read\n"
        assert " /run/extra tmpfs " in vm.exec("cat /proc/mounts").stdout
    if "postBuild" in fields_like(name):
        assert vm.exec("llm --help; llm-anthropic").stdout == "llm --help\nllm-anthropic \n"


def checksums(image: Path) -> object:
    return json.loads((image / "manifest.json").read_text())["checksums"]
