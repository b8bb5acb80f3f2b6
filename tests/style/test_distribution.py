"""Wheel and sdist carry the guest: sources and agents, so that installing needs no compiler."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
GUEST_FILES = {
    "bin/x86_64/agent", "bin/aarch64/agent", "bin/SOURCES.sha256", "src/main.zig",
    "init/rootfs-init.sh",
}  # fmt: skip


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", folder],
        cwd=CHECKOUT, check=True, capture_output=True,
    )  # fmt: skip
    return folder


def test_the_wheel_carries_the_guest(distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {f"bootsmith/guest/{name}" for name in GUEST_FILES} <= names
    assert "bootsmith/config/presets/debian.jsonc" in names
    assert any(name.startswith("bootsmith/sources/debian/keys/") for name in names)
    assert "bootsmith/py.typed" in names


def test_the_sdist_carries_the_guest_and_nothing_of_this_machine(distributions: Path) -> None:
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"guest/{name}" for name in GUEST_FILES} <= names
    assert {"README.md", "LICENSE", "hatch_build.py"} <= names
    assert not [name for name in names if name.startswith((".venv", ".cache", "bootsmith-image"))]


def test_an_installed_wheel_finds_its_guest(distributions: Path, tmp_path: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from bootsmith.host.guest_files import agent_binary, init_script\n"
        "from bootsmith.model.arch import Arch\n"
        "print(*[agent_binary(arch) for arch in Arch], init_script('rootfs-init.sh'))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, tmp_path], check=True, capture_output=True, text=True,
        cwd=tmp_path,
    ).stdout.split()  # fmt: skip
    assert all(Path(path).is_relative_to(tmp_path) for path in found)
