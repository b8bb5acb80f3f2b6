"""Which executor a build gets: the user's word, or what this machine can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bootsmith.errors import HostError, ToolMissing
from bootsmith.host.emulation import executes
from bootsmith.host.namespaces import NamespaceSupport, namespace_support
from bootsmith.host.tools import find_tool, install_line
from bootsmith.model.arch import Arch
from bootsmith.sandbox.executor import ExecutorName


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxFacts:
    """What this machine has for guests of ``arch``.

    ``executes``: whether its kernel runs their programs.
    """

    arch: Arch
    namespaces: NamespaceSupport
    executes: bool
    has_qemu: bool


def sandbox_facts(arch: Arch) -> SandboxFacts:
    """Found out by trying, not by asking."""
    return SandboxFacts(
        arch=arch,
        namespaces=namespace_support(),
        executes=executes(arch),
        has_qemu=find_tool(arch.qemu_system) is not None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """``reason`` says why it is a machine although nobody asked for one; else it is empty."""

    executor: Literal["namespace", "vm"]
    reason: str = ""


def choose(wanted: ExecutorName, facts: SandboxFacts) -> Choice:
    """What runs a guest's commands; namespaces are preferred, for they are quicker.

    Raises ``HostError`` that names the fix where no command can be run as wanted
    (``ToolMissing`` where that is QEMU).
    """
    tool = facts.arch.qemu_system
    if wanted == "vm":
        if facts.has_qemu:
            return Choice(executor="vm")
        raise ToolMissing(f"{tool} is not installed", tool=tool, install=install_line(tool))
    problem, fix = _problem_with_namespaces(facts)
    if not problem:
        return Choice(executor="namespace")
    if wanted == "namespace":
        raise HostError(
            f"package scripts cannot be run in namespaces: {problem}",
            hint=f"{fix}; or let a virtual machine run them (--executor vm)",
        )
    if facts.has_qemu:
        return Choice(executor="vm", reason=problem)
    raise HostError(
        f"package scripts cannot be run on this machine: {problem}, and there is no {tool} "
        "to run them in a virtual machine",
        hint=f"{install_line(tool)}; or {fix}",
    )


def _problem_with_namespaces(facts: SandboxFacts) -> tuple[str, str]:
    """Why namespaces will not do, and what would change that; nothing where they will."""
    if facts.namespaces.kind == "none":
        return facts.namespaces.reason, facts.namespaces.fix
    if not facts.executes:
        return (
            f"this machine does not execute {facts.arch} programs",
            "install qemu-user-static, which registers an emulator with the kernel",
        )
    return "", ""
