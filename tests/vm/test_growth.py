"""When a root file system cannot grow; tests/image/ext4 has one that does."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootsmith.errors import VMError
from bootsmith.vm.growth import grow_root
from tests.support.agent_process import connected_agent


def program(folder: Path, text: str) -> None:
    (folder / "resize2fs").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "resize2fs").chmod(0o755)


def test_a_guest_that_has_no_means(tmp_path: Path) -> None:
    with (
        connected_agent(path=str(tmp_path)) as agent,
        pytest.raises(VMError, match="neither bootsmith's 'grow' nor resize2fs"),
    ):
        grow_root(agent)


def test_the_guests_own_program_is_the_second_choice(tmp_path: Path) -> None:
    program(tmp_path, 'echo "$1" >"$0.said"')
    with connected_agent(path=str(tmp_path)) as agent:
        grow_root(agent)
    assert (tmp_path / "resize2fs.said").read_text() == "/dev/vda\n"


def test_what_it_says_is_told(tmp_path: Path) -> None:
    program(tmp_path, "echo 'it is a squashfs' >&2; exit 1")
    with (
        connected_agent(path=str(tmp_path)) as agent,
        pytest.raises(VMError, match="it is a squashfs") as caught,
    ):
        grow_root(agent)
    assert "ext4" in str(caught.value.hint)
