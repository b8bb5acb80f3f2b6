"""The build hook: what a wheel and a source distribution carry, and when it compiles."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from bootsmith.host.guest_files import agent_binary, guest_folder
from bootsmith.model.arch import Arch
from tests.support.judges import unavailable

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with finished agents."""
    if importlib.util.find_spec("hatchling") is None:
        unavailable("hatchling is not installed (pip install hatchling)")
    for arch in Arch:
        agent_binary(arch)
    copy = tmp_path_factory.mktemp("project")
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, copy)
    leftovers = shutil.ignore_patterns("__pycache__", ".lock", ".zig-*")
    shutil.copytree(guest_folder(), copy / "guest", ignore=leftovers)
    shutil.copytree(ROOT / "src", copy / "src", ignore=leftovers)
    return copy


def build(project: Path, target: str, output: Path) -> Path:
    """Build without a compiler in reach: what is finished must not be made again."""
    broken = output / "no-compiler" / "ziglang"
    broken.mkdir(parents=True)
    (broken / "__init__.py").touch()
    (broken / "__main__.py").write_text("raise SystemExit('the compiler was started')\n")
    subprocess.run(
        (sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(output)),
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(broken.parent)},
        check=True,
        capture_output=True,
    )
    (made,) = (path for path in output.iterdir() if path.is_file())
    return made


def test_a_wheel_carries_agents_sources_and_scripts(project: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(build(project, "wheel", tmp_path)) as wheel:
        names = set(wheel.namelist())
        for arch in Arch:
            agent = wheel.getinfo(f"bootsmith/guest/bin/{arch}/agent")
            assert agent.external_attr >> 16 & 0o111
            assert wheel.read(agent) == agent_binary(arch).read_bytes()
    assert {
        "bootsmith/guest/src/main.zig",
        "bootsmith/guest/init/rootfs-init.sh",
        "bootsmith/guest/bin/SOURCES.sha256",
    } <= names
    assert not [name for name in names if "/." in name]


def test_a_wheel_from_a_source_distribution_needs_no_compiler(
    project: Path, tmp_path: Path
) -> None:
    made = build(project, "sdist", tmp_path / "sdist")
    with tarfile.open(made) as archive:
        archive.extractall(tmp_path / "unpacked")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert (unpacked / "guest/src/main.zig").is_file()
    from_sources = build(project, "wheel", tmp_path / "one").read_bytes()
    assert build(unpacked, "wheel", tmp_path / "two").read_bytes() == from_sources


def test_changed_sources_are_compiled(project: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(project, changed)
    with (changed / "guest/src/main.zig").open("a") as source:
        source.write("// another\n")
    with pytest.raises(subprocess.CalledProcessError) as failure:
        build(changed, "wheel", tmp_path / "wheel")
    assert b"the compiler was started" in failure.value.stderr + failure.value.stdout
