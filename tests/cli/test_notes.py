"""The note while a machine boots: there at a terminal when it takes long, and gone afterwards."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.terminal_dialogue import TerminalDialogue

EMULATED = "booting; the machine is emulated, which takes some seconds …"
_BOOT = """
import sys
from bootsmith.cli.notes import note_if_long
from bootsmith.model.arch import Arch
with note_if_long(Arch.parse(sys.argv[1]), sys.argv[2], patience_s=float(sys.argv[3])):
    sys.stdin.readline()
"""


def boot(*words: str) -> list[str]:
    return [sys.executable, "-c", _BOOT, *words]


@pytest.mark.parametrize(
    ("arch", "acceleration", "note"),
    [
        ("x86_64", "tcg", EMULATED),
        ("x86_64", "kvm", "booting …"),
        ("aarch64" if os.uname().machine == "x86_64" else "x86_64", "auto", EMULATED),
    ],
)
def test_who_waits_is_told_what_for(arch: str, acceleration: str, note: str) -> None:
    with TerminalDialogue(boot(arch, acceleration, "0.01"), env=os.environ) as terminal:
        terminal.expect(note)
        terminal.say("\n")
        assert terminal.wait() == 0
        assert terminal.said.endswith("\r\x1b[K")


def test_who_does_not_wait_long_is_told_nothing() -> None:
    with TerminalDialogue(boot("x86_64", "tcg", "3600"), env=os.environ) as terminal:
        terminal.say("\n")
        assert terminal.wait() == 0
        assert terminal.said.strip() == ""


def test_a_log_is_told_nothing() -> None:
    words = boot("x86_64", "tcg", "0")
    done = subprocess.run(words, input=b"\n", stderr=subprocess.PIPE, check=True)
    assert done.stderr == b""
