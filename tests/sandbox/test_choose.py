"""Which executor a build gets, and what is said when there is none."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from bootsmith.errors import HostError, ToolMissing
from bootsmith.host.emulation import executes, is_usable
from bootsmith.host.environment import host_arch
from bootsmith.host.namespaces import NamespaceSupport
from bootsmith.model.arch import Arch
from bootsmith.sandbox.choose import Choice, SandboxFacts, choose
from bootsmith.sandbox.executor import ExecutorName

ROOT = NamespaceSupport("root")
CHROOT = NamespaceSupport("chroot", "root has no CAP_SYS_ADMIN here", "start it with more")
NONE = NamespaceSupport("none", "there is no range of ids", "let root run: usermod")


class Case(NamedTuple):
    wanted: ExecutorName
    namespaces: NamespaceSupport
    executes: bool
    has_qemu: bool
    chosen: str


NAMESPACES, MACHINE, FALLBACK = "namespace", "vm", "vm because"

CASES = [
    Case("auto", ROOT, True, True, NAMESPACES),
    Case("auto", ROOT, True, False, NAMESPACES),
    Case("auto", CHROOT, True, True, NAMESPACES),
    Case("auto", NONE, True, True, FALLBACK),
    Case("auto", ROOT, False, True, FALLBACK),
    Case("auto", NONE, True, False, "HostError"),
    Case("auto", ROOT, False, False, "HostError"),
    Case("namespace", ROOT, True, True, NAMESPACES),
    Case("namespace", NONE, True, True, "HostError"),
    Case("namespace", ROOT, False, True, "HostError"),
    Case("vm", ROOT, True, True, MACHINE),
    Case("vm", NONE, False, True, MACHINE),
    Case("vm", ROOT, True, False, "ToolMissing"),
]


@pytest.mark.parametrize("case", CASES)
def test_the_choice(case: Case) -> None:
    facts = SandboxFacts(
        arch=Arch.AARCH64,
        namespaces=case.namespaces,
        executes=case.executes,
        has_qemu=case.has_qemu,
    )
    try:
        found = _words(choose(case.wanted, facts))
    except HostError as error:
        is_told = error.hint or isinstance(error, ToolMissing)
        found = type(error).__name__ if is_told else "no way out"
    assert found == case.chosen


def _words(choice: Choice) -> str:
    return f"{choice.executor} because" if choice.reason else choice.executor


def test_both_ways_out_are_named() -> None:
    facts = SandboxFacts(arch=Arch.X86_64, namespaces=NONE, executes=True, has_qemu=False)
    with pytest.raises(HostError, match="no range of ids, and there is no qemu-system-x86_64") as e:
        choose("auto", facts)
    assert "usermod" in (e.value.hint or "")
    assert "qemu" in (e.value.hint or "")


@pytest.mark.parametrize(
    ("registration", "expected"),
    [
        ("enabled\ninterpreter /usr/bin/qemu-x\nflags: F\noffset 0\nmagic 7f454c46\n", True),
        ("enabled\ninterpreter /usr/bin/qemu-x\nflags: OCF\noffset 0\nmagic 7f454c46\n", True),
        ("enabled\ninterpreter /usr/bin/qemu-F\nflags: OC\noffset 0\nmagic 7f454c46\n", False),
        ("disabled\ninterpreter /usr/bin/qemu-x\nflags: F\noffset 0\nmagic 7f454c46\n", False),
        ("", False),
    ],
)
def test_an_emulator_serves_a_tree_it_does_not_lie_in(registration: str, expected: bool) -> None:
    assert is_usable(registration) is expected


def test_this_machine_executes_its_own_programs() -> None:
    assert executes(host_arch())
