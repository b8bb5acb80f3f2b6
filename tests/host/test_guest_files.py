"""Finding the guest's files, and making the agent again."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from bootsmith.errors import CommandFailed, HostError, ToolMissing
from bootsmith.host import agent_build, guest_files
from bootsmith.model.arch import Arch


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A guest folder of its own, without agents."""
    folder = tmp_path / "guest"
    shutil.copytree(guest_files.guest_folder(), folder, ignore=shutil.ignore_patterns("bin", ".*"))
    monkeypatch.setattr(guest_files, "guest_folder", lambda: folder)
    return folder


def test_scripts_are_found_by_name() -> None:
    assert guest_files.init_script("rootfs-init.sh").read_text().startswith("#!/bin/sh")


@pytest.mark.parametrize("name", ["nonesuch.sh", "", "../src/main.zig", "/etc/passwd"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(HostError) as failure:
        guest_files.init_script(name)
    assert failure.value.hint


def test_without_a_compiler_the_error_names_it(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ziglang", None)
    with pytest.raises(ToolMissing) as failure:
        guest_files.agent_binary(Arch.X86_64)
    assert failure.value.install == f"pip install {agent_build.ZIG_REQUIREMENT}"
    with pytest.raises(ToolMissing):
        guest_files.compile_agent(tmp_path / "agent", Arch.X86_64)
    assert not (tmp_path / "agent").exists()
    assert not (checkout / "bin" / "x86_64").exists()


@pytest.mark.slow
def test_sources_that_do_not_compile(checkout: Path, tmp_path: Path) -> None:
    pytest.importorskip("ziglang")
    (checkout / "src" / "main.zig").write_text("pub fn main() void { nonsense }\n")
    with pytest.raises(CommandFailed, match="nonsense"):
        guest_files.agent_binary(Arch.X86_64)
    with pytest.raises(CommandFailed, match=r"main\.zig"):
        guest_files.compile_agent(tmp_path / "agent", Arch.AARCH64)
    assert list(tmp_path.iterdir()) == [checkout]
    assert not agent_build.is_fresh(checkout)


@pytest.mark.slow
def test_agents_are_compiled_once(checkout: Path) -> None:
    pytest.importorskip("ziglang")
    (checkout / "src" / "main.zig").write_text("pub fn main() void {}\n")
    agent = guest_files.agent_binary(Arch.X86_64)
    made = agent.stat()
    assert agent_build.is_fresh(checkout)
    assert guest_files.agent_binary(Arch.X86_64).stat().st_mtime_ns == made.st_mtime_ns
    assert sorted(path.name for path in (checkout / "bin").iterdir()) == [
        ".lock",
        "SOURCES.sha256",
        "aarch64",
        "x86_64",
    ]
