"""Whether a machine will be emulated, for those who want to know before it runs."""

from __future__ import annotations

from bootsmith.host.acceleration import acceleration_facts
from bootsmith.model.arch import Arch
from bootsmith.sdk.settings import state_folder
from bootsmith.sdk.vm_options import Acceleration
from bootsmith.vm.acceleration import decide
from bootsmith.vm.machine import Accelerator


def will_be_emulated(guest: Arch, acceleration: Acceleration = "auto") -> bool:
    """Whether a machine with an image for ``guest`` is emulated here, as far as the evidence goes
    before it is started."""
    if acceleration != "auto":
        return Accelerator(acceleration) is Accelerator.TCG
    decision = decide(acceleration_facts(state_folder()), guest=guest)
    return decision.accelerator is Accelerator.TCG
