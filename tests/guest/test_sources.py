"""The sources themselves: the agent's own tests, its size, its reproducibility, the scripts."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bootsmith.host import agent_build
from bootsmith.host.guest_files import agent_binary, guest_folder
from bootsmith.model.arch import Arch
from tests.support.judges import judge, unavailable

SIZE_MAX = 150 << 10
SCRIPTS = sorted(path.name for path in (guest_folder() / "init").glob("*.sh"))


@pytest.fixture(scope="module")
def compiler() -> None:
    if importlib.util.find_spec("ziglang") is None:
        unavailable(
            f"the Zig compiler is not installed (pip install {agent_build.ZIG_REQUIREMENT})"
        )


@pytest.mark.usefixtures("compiler")
def test_the_agents_own_tests(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ziglang", "test", "src/main.zig"),
            *("--cache-dir", str(tmp_path), "--global-cache-dir", str(tmp_path)),
        ],
        cwd=guest_folder(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "tests passed" in done.stderr


@pytest.mark.usefixtures("compiler")
def test_sources_are_formatted() -> None:
    done = subprocess.run(
        (sys.executable, "-m", "ziglang", "fmt", "--check", str(guest_folder() / "src")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.usefixtures("compiler")
def test_the_same_bytes_wherever_it_is_made(tmp_path: Path) -> None:
    elsewhere = tmp_path / "some where else"
    shutil.copytree(guest_folder() / "src", elsewhere / "src")
    agent_build.compile_agent(elsewhere, "aarch64", tmp_path / "agent")
    assert (tmp_path / "agent").read_bytes() == agent_binary(Arch.AARCH64).read_bytes()


@pytest.mark.usefixtures("compiler")
def test_a_change_of_the_sources_is_seen(tmp_path: Path) -> None:
    shutil.copytree(guest_folder(), tmp_path / "guest", ignore=shutil.ignore_patterns(".*"))
    assert agent_build.is_fresh(tmp_path / "guest")
    with (tmp_path / "guest/src/main.zig").open("a") as source:
        source.write("\n")
    assert not agent_build.is_fresh(tmp_path / "guest")


@pytest.mark.parametrize("arch", list(Arch))
def test_a_small_static_executable_without_symbols_or_paths(arch: Arch) -> None:
    content = agent_binary(arch).read_bytes()
    assert content[:6] == b"\x7fELF\x02\x01"
    assert int.from_bytes(content[18:20], "little") == arch.elf_machine
    assert len(content) <= SIZE_MAX
    assert b".zig" not in content
    assert b"/lib/ld" not in content
    assert str(guest_folder()).encode() not in content


@pytest.mark.judge
@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_satisfy_shellcheck(script: str) -> None:
    judge("shellcheck", "--shell=sh", guest_folder() / "init" / script)


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_executable_and_parse(script: str) -> None:
    path = guest_folder() / "init" / script
    assert path.stat().st_mode & 0o111
    assert path.read_text().startswith("#!/bin/sh\n")
    subprocess.run(("sh", "-n", path), check=True)


def test_the_supervisor_is_process_one_or_nothing(agent_program: Path) -> None:
    # It ends a machine when asked to, and must not end somebody's own.
    done = subprocess.run(
        ["bootsmith-guest", "supervise"], executable=agent_program,
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "bootsmith: supervise: operation not permitted\n"


def test_programs_say_how_they_are_called(agent_program: Path) -> None:
    done = subprocess.run(
        ["sandboxfs", "--help"], executable=agent_program,
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.startswith("usage: sandboxfs --mount FOLDER [--port ")
