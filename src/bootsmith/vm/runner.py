"""Starting machines: from a specification to an agent that answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bootsmith.errors import BootTimeout, HostError, VMError
from bootsmith.host.acceleration import AccelerationFacts, acceleration_facts, note_hang
from bootsmith.host.channel import Channel
from bootsmith.host.child import Child
from bootsmith.host.clock import Deadline
from bootsmith.host.environment import is_linux
from bootsmith.host.temporary import RuntimeFolder
from bootsmith.model.reporter import Reporter, Silent
from bootsmith.vm.acceleration import Decision, decide
from bootsmith.vm.boot_args import for_accelerator
from bootsmith.vm.drives import with_overlays
from bootsmith.vm.machine import FILES_PORT, Accelerator, MachineSpec
from bootsmith.vm.qemu_argv import Wiring, qemu_argv
from bootsmith.vm.running import RunningMachine

if TYPE_CHECKING:
    from bootsmith.vm.shares.tree import ShareTree

# An accelerated guest prints within a fraction of a second; one that hangs never does.
FIRST_OUTPUT_TIMEOUT_S = 5.0
_POLL_S = 0.05  # console and agent wake us; only QEMU's own beginning and end are looked for
_BOOT_TIMEOUT_S = {Accelerator.KVM: 30.0, Accelerator.HVF: 30.0, Accelerator.TCG: 120.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOptions:
    """How to start a machine, as opposed to which.

    ``accelerator`` ``None`` lets the evidence decide.  ``boot_timeout_s`` ``None`` is a default
    that depends on the accelerator.  ``console_log`` receives a copy of the console;
    ``state_folder`` keeps what was learnt about this machine's acceleration.  The start is given
    up when ``is_wanted`` says no.
    """

    accelerator: Accelerator | None = None
    boot_timeout_s: float | None = None
    first_output_timeout_s: float = FIRST_OUTPUT_TIMEOUT_S
    console_log: Path | None = None
    on_console: Callable[[bytes], object] | None = None
    state_folder: Path | None = None
    is_wanted: Callable[[], bool] | None = None
    reporter: Reporter = field(default_factory=Silent)


def start_machine(
    spec: MachineSpec,
    options: StartOptions | None = None,
    *,
    facts: AccelerationFacts | None = None,
) -> RunningMachine:
    """Start ``spec`` and wait until its agent answers (a machine without the agent's port: until
    QEMU runs).

    The accelerator of ``spec`` is replaced by what ``options`` and the ``facts`` say; ``None``
    looks at this machine.  A guest that shows no sign of life under an accelerator nobody asked
    for is started again under emulation.

    Raises ``ToolMissing`` without QEMU, ``BootTimeout`` when the guest does not answer in time, and
    ``VMError`` when QEMU ends or the guest panics.
    """
    options = options or StartOptions()
    facts = facts or acceleration_facts(options.state_folder)
    decision = decide(facts, guest=spec.arch, wanted=options.accelerator)
    options.reporter.detail(f"acceleration: {decision.reason}")
    try:
        return _start(spec, decision, options)
    except _NoSignOfLife as silence:
        reason = f"emulation, because under {decision.accelerator} {silence}"
    options.reporter.warning(reason)
    machine = _start(spec, Decision(accelerator=Accelerator.TCG, reason=reason), options)
    # Only now is it known that the accelerator was to blame, and not the guest.
    _remember(options)
    return machine


class _NoSignOfLife(VMError):
    """A machine on trial has printed nothing."""


def _remember(options: StartOptions) -> None:
    if options.state_folder is None:
        return
    try:
        note = note_hang(options.state_folder)
    except HostError as error:
        options.reporter.detail(f"acceleration will be tried again next time: {error}")
    else:
        options.reporter.detail(f"noted in {note} until this machine boots anew")


def _start(spec: MachineSpec, decision: Decision, options: StartOptions) -> RunningMachine:
    spec = for_accelerator(spec, decision.accelerator)
    if not is_linux():
        return _attempt(spec, decision, options, seccomp=False)
    try:
        return _attempt(spec, decision, options, seccomp=True)
    except VMError as error:
        # Every distribution's QEMU confines itself when asked to; one built without libseccomp
        # does not know the option, and says so at once.
        if "-sandbox" not in str(error):
            raise
    options.reporter.warning("this QEMU cannot confine itself (it was built without seccomp)")
    return _attempt(spec, decision, options, seccomp=False)


def _attempt(
    spec: MachineSpec, decision: Decision, options: StartOptions, *, seccomp: bool
) -> RunningMachine:
    machine = _launch(spec, decision, options, seccomp=seccomp)
    try:
        _await_ready(machine, options)
        if machine.agent is not None and spec.shares:
            from bootsmith.vm.shares.visible import require_visible  # few machines share

            require_visible(machine.agent, spec.shares)
    except BaseException:
        machine.kill()
        raise
    return machine


def _launch(
    spec: MachineSpec, decision: Decision, options: StartOptions, *, seccomp: bool
) -> RunningMachine:
    shares = _share_tree(spec)
    if shares is not None:
        spec = replace(spec, ports=(*spec.ports, FILES_PORT))
    folder = RuntimeFolder(prefix="bootsmith-vm-")
    pairs: dict[str, tuple[Channel, Channel]] = {}
    try:
        spec = replace(spec, drives=with_overlays(spec.drives, folder.path))
        for name in ("console", "qmp", *spec.ports):
            pairs[name] = Channel.pair()
        theirs = {name: theirs.fileno() for name, (_, theirs) in pairs.items()}
        wiring = Wiring(
            console=theirs["console"],
            qmp=theirs["qmp"],
            ports={name: theirs[name] for name in spec.ports},
            console_log=options.console_log,
            seccomp=seccomp,
        )
        child = Child.start(
            qemu_argv(spec, wiring),
            guardian=folder.guardian,
            output=folder.path / "qemu.log",
            descriptors=tuple(theirs.values()),
            env={"TMPDIR": str(folder.path)},
        )
    except BaseException:
        for ours, _ in pairs.values():
            ours.close()
        folder.close()
        if shares is not None:
            shares.close()
        raise
    finally:
        for _, peer in pairs.values():
            peer.close()
    return RunningMachine(
        spec=spec,
        decision=decision,
        child=child,
        folder=folder,
        channels={name: ours for name, (ours, _) in pairs.items()},
        on_console=options.on_console,
        shares=shares,
    )


def _share_tree(spec: MachineSpec) -> ShareTree | None:
    if not spec.shares:
        return None
    # Most machines share nothing, and start sooner without the library for it.
    from bootsmith.vm.shares.tree import ShareTree

    return ShareTree(spec.shares)


def _await_ready(machine: RunningMachine, options: StartOptions) -> None:
    timeout_s = options.boot_timeout_s or _BOOT_TIMEOUT_S[machine.spec.accelerator]
    deadline = Deadline.after(timeout_s)
    trial = Deadline.after(options.first_output_timeout_s if machine.decision.on_trial else None)
    while not _has_come_up(machine, trial):
        if options.is_wanted is not None and not options.is_wanted():
            raise VMError("nobody wants the machine any more")
        if deadline.passed:
            raise BootTimeout(
                f"the guest's agent did not answer within {timeout_s:g} s{machine.last_words()}",
                console_tail=machine.console.tail(),
                hint="raise the boot timeout if the machine is slow, else look at the console",
            )
        waits = (deadline.remaining_s(), trial.remaining_s(), _POLL_S)
        machine.wait_for_change(min(wait for wait in waits if wait is not None))


def _has_come_up(machine: RunningMachine, trial: Deadline) -> bool:
    if machine.agent is not None and machine.agent.line.is_ready:
        if machine.spec.shares and machine.agent.line.share_failure is not None:
            raise VMError(
                f"the guest cannot see the shared folders: {machine.agent.line.share_failure}"
                f"{machine.last_words()}"
            )
        return True
    on_trial = machine.decision.on_trial and not machine.console.has_output
    failure = machine.failure()
    if on_trial and failure is not None:
        raise _NoSignOfLife(str(failure).splitlines()[0])
    if on_trial and trial.passed:
        raise _NoSignOfLife("the guest printed nothing in time")
    if failure is not None:
        raise failure
    return machine.agent is None and not on_trial and machine.has_started()
