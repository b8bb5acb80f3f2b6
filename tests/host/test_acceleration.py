from __future__ import annotations

import sys
from pathlib import Path

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
