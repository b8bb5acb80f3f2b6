from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bootsmith.host import acceleration
from bootsmith.host.acceleration import acceleration_facts, note_hang


def test_the_facts_of_this_machine_are_complete() -> None:
    facts = acceleration_facts()
    assert facts.system == sys.platform
    if not sys.platform.startswith("linux"):
        assert facts.kvm_problem
    elif not Path("/dev/kvm").exists():
        assert facts.kvm_problem == "there is no /dev/kvm"
    assert not facts.hung_before


def test_a_hang_is_remembered_until_the_next_boot(tmp_path: Path) -> None:
    state = tmp_path / "cache" / "state"
    assert not acceleration_facts(state).hung_before
    note = note_hang(state)
    assert acceleration_facts(state).hung_before
    note.write_text(note.read_text() + "x")
    assert not acceleration_facts(state).hung_before, "another boot, another chance"
    note.write_bytes(b"\xff\xfe")
    assert not acceleration_facts(state).hung_before


@pytest.mark.parametrize(
    ("mode", "group", "said"),
    [
        (0o660, 0, "it is root's alone"),
        (0o600, 54321, "it is root's alone"),
        (0o660, 54321, "join its group: sudo usermod -aG 54321 $USER, then log in again"),
    ],
)
@pytest.mark.root
def test_what_would_let_a_user_in(mode: int, group: int, said: str, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    device = tmp_path / "kvm"
    device.touch()
    device.chmod(mode)
    os.chown(device, 0, group)
    assert acceleration._way_in(device) == said
