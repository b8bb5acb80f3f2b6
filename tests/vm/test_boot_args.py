from __future__ import annotations

from dataclasses import replace

import pytest

from bootsmith.errors import VMError
from bootsmith.model.arch import Arch
from bootsmith.vm.boot_args import for_accelerator, kernel_command_line
from bootsmith.vm.machine import Accelerator, Network
from tests.vm.golden_machines import machine


@pytest.mark.parametrize(("arch", "console"), [(Arch.X86_64, "ttyS0"), (Arch.AARCH64, "ttyAMA0")])
def test_the_console_of_each_architecture(arch: Arch, console: str) -> None:
    assert f"console={console}" in kernel_command_line(arch).split()


def test_the_address_of_the_user_network() -> None:
    words = kernel_command_line(Arch.X86_64, network=Network.USER).split()
    assert "ip=10.0.2.15::10.0.2.2:255.255.255.0::eth0:off:10.0.2.3" in words
    assert not any(word.startswith("ip=") for word in kernel_command_line(Arch.X86_64).split())


def test_the_users_words_come_last() -> None:
    words = kernel_command_line(Arch.X86_64, writable_root=False, extra=("rw", "init=/x")).split()
    assert words[-2:] == ["rw", "init=/x"]
    assert words.index("ro") < words.index("rw")


@pytest.mark.parametrize(
    ("arch", "accelerator", "placed_at_random"),
    [
        (Arch.X86_64, Accelerator.TCG, False),
        (Arch.X86_64, Accelerator.KVM, True),
        (Arch.AARCH64, Accelerator.TCG, True),
    ],
)
def test_programs_lie_at_fixed_places_where_emulation_gains_by_it(
    arch: Arch, accelerator: Accelerator, placed_at_random: bool
) -> None:
    asked = replace(machine(arch), cmdline="rw -- word-for-init")
    spec = for_accelerator(asked, accelerator)
    assert spec.accelerator is accelerator
    words = spec.cmdline.split()
    assert words[-3:] == ["rw", "--", "word-for-init"]
    assert ("norandmaps" in words) is not placed_at_random


def test_a_command_line_without_room_for_our_words() -> None:
    with pytest.raises(VMError, match="2052 bytes"):
        for_accelerator(replace(machine(), cmdline="x" * 2041), Accelerator.TCG)
