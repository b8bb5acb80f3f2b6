from __future__ import annotations

import pytest

from bootsmith.errors import VMError
from bootsmith.host.acceleration import AccelerationFacts
from bootsmith.model.arch import Arch
from bootsmith.vm.acceleration import decide
from bootsmith.vm.machine import Accelerator

KVM, HVF, TCG = Accelerator.KVM, Accelerator.HVF, Accelerator.TCG


def linux(
    *modules: str,
    problem: str | None = None,
    arch: Arch | None = Arch.X86_64,
    hung: bool = False,
) -> AccelerationFacts:
    return AccelerationFacts(
        system="linux", arch=arch, kvm_problem=problem, kvm_modules=modules, hung_before=hung
    )


def mac(problem: str | None = None) -> AccelerationFacts:
    return AccelerationFacts(
        system="darwin", arch=Arch.AARCH64, kvm_problem="only Linux has it", hvf_problem=problem
    )


CHOICES = {
    "intel": (linux("kvm_intel"), Arch.X86_64, KVM, "usable"),
    "amd": (linux("kvm_amd"), Arch.X86_64, KVM, "usable"),
    "built into the kernel": (linux(), Arch.X86_64, KVM, "usable"),
    "arm": (linux(arch=Arch.AARCH64), Arch.AARCH64, KVM, "usable"),
    "nested paravirtual": (linux("kvm_pvm"), Arch.X86_64, TCG, "kvm_pvm"),
    "no device": (linux(problem="there is no /dev/kvm"), Arch.X86_64, TCG, "no /dev/kvm"),
    "not in the group": (linux("kvm_amd", problem="group kvm"), Arch.X86_64, TCG, "group kvm"),
    "foreign guest": (linux("kvm_intel"), Arch.AARCH64, TCG, "aarch64 instructions"),
    "foreign guest on arm": (linux(arch=Arch.AARCH64), Arch.X86_64, TCG, "x86_64 instructions"),
    "unknown processor": (linux("kvm_hv", arch=None), Arch.X86_64, TCG, "x86_64 instructions"),
    "hung before": (linux("kvm_intel", hung=True), Arch.X86_64, TCG, "hung"),
    "mac": (mac(), Arch.AARCH64, HVF, "usable"),
    "mac in a machine": (mac("not offered"), Arch.AARCH64, TCG, "not offered"),
    "foreign guest on mac": (mac(), Arch.X86_64, TCG, "x86_64 instructions"),
}


@pytest.mark.parametrize("name", CHOICES)
def test_the_choice(name: str) -> None:
    facts, guest, wanted, why = CHOICES[name]
    decision = decide(facts, guest=guest)
    assert decision.accelerator is wanted
    assert why in decision.reason
    assert decision.on_trial == (wanted is not TCG), "only what might hang is on trial"


@pytest.mark.parametrize("name", CHOICES)
def test_emulation_can_always_be_had(name: str) -> None:
    facts, guest, _, _ = CHOICES[name]
    decision = decide(facts, guest=guest, wanted=TCG)
    assert (decision.accelerator, decision.on_trial) == (TCG, False)


@pytest.mark.parametrize("name", CHOICES)
def test_the_users_word_is_kept_or_refused(name: str) -> None:
    facts, guest, usable, why = CHOICES[name]
    native = HVF if facts.system == "darwin" else KVM
    if usable is native:
        decision = decide(facts, guest=guest, wanted=native)
        assert (decision.accelerator, decision.on_trial) == (native, False)
    else:
        with pytest.raises(VMError, match="cannot be used") as caught:
            decide(facts, guest=guest, wanted=native)
        assert why in str(caught.value)
        assert caught.value.hint


def test_another_systems_accelerator() -> None:
    with pytest.raises(VMError, match="only macOS"):
        decide(linux("kvm_intel"), guest=Arch.X86_64, wanted=HVF)
    with pytest.raises(VMError, match="only Linux"):
        decide(mac(), guest=Arch.AARCH64, wanted=KVM)
