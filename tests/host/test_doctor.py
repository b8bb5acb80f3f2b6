from __future__ import annotations

import os
from pathlib import Path

import pytest

from bootsmith.host import tools
from bootsmith.host.doctor import machine_facts
from bootsmith.model.arch import Arch


def test_a_machine_with_everything_is_described(tmp_path: Path) -> None:
    facts = machine_facts(tmp_path / "not" / "yet" / "there")
    assert facts.cpus >= 1
    assert facts.memory_bytes is None or facts.memory_bytes > 1 << 20
    assert facts.disk.is_writable
    assert 0 < facts.disk.free_bytes <= facts.disk.size_bytes
    assert {tool.name for tool in facts.tools} >= {arch.qemu_system for arch in Arch}
    for tool in facts.tools:
        assert tool.install
        assert tool.purpose
        if tool.path is not None and tool.name.startswith("qemu"):
            assert tool.version


def test_a_machine_without_anything_is_described_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    monkeypatch.setattr(tools, "_SYSTEM_FOLDERS", ())
    facts = machine_facts(tmp_path)
    assert [tool.path for tool in facts.tools] == [None] * len(facts.tools)
    assert [tool.version for tool in facts.tools] == [None] * len(facts.tools)


def test_a_program_that_does_not_tell_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "qemu-img"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    monkeypatch.setattr(tools, "_SYSTEM_FOLDERS", ("/bin",))
    found = {tool.name: tool for tool in machine_facts(tmp_path).tools}["qemu-img"]
    assert (found.path, found.version) == (broken, None)
