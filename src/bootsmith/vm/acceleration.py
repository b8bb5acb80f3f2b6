"""Which accelerator a guest gets, decided from evidence (docs/decisions/0006)."""

from __future__ import annotations

from dataclasses import dataclass

from bootsmith.errors import VMError
from bootsmith.host.acceleration import AccelerationFacts
from bootsmith.model.arch import Arch
from bootsmith.vm.machine import Accelerator

# Nested paravirtual KVM: it opens, it creates machines, and no ordinary guest ever runs.
_USELESS_MODULES = frozenset({"kvm_pvm"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """``reason`` is a sentence for people.  ``on_trial``: watch the guest's first output."""

    accelerator: Accelerator
    reason: str
    on_trial: bool = False


def decide(facts: AccelerationFacts, *, guest: Arch, wanted: Accelerator | None = None) -> Decision:
    """The accelerator for a ``guest`` on the machine that ``facts`` describe.

    ``wanted`` is the user's word and is kept to; ``None`` chooses, and anything but emulation is
    then on trial.  Raises ``VMError`` when what is wanted cannot work.
    """
    if wanted is Accelerator.TCG:
        return Decision(accelerator=Accelerator.TCG, reason="emulation was asked for")
    native = Accelerator.HVF if facts.system == "darwin" else Accelerator.KVM
    accelerator = wanted or native
    problem = _problem(facts, guest, accelerator)
    if problem is None:
        return Decision(
            accelerator=accelerator,
            reason=f"{accelerator} is usable" if wanted is None else f"{accelerator} was asked for",
            on_trial=wanted is None,
        )
    if wanted is None:
        return Decision(accelerator=Accelerator.TCG, reason=f"emulation, because {problem}")
    raise VMError(
        f"{wanted} cannot be used: {problem}", hint="leave the acceleration to 'auto', or say 'tcg'"
    )


def _problem(facts: AccelerationFacts, guest: Arch, accelerator: Accelerator) -> str | None:
    if facts.arch is not guest:
        return f"this machine does not execute {guest} instructions itself"
    if accelerator is Accelerator.HVF:
        return facts.hvf_problem
    if facts.kvm_problem is not None:
        return facts.kvm_problem
    useless = _USELESS_MODULES.intersection(facts.kvm_modules)
    if useless:
        names = ", ".join(sorted(useless))
        return f"/dev/kvm is nested paravirtual KVM ({names}), under which guests hang"
    if facts.hung_before:
        return "a guest hung under KVM since this machine booted"
    return None
