from __future__ import annotations

import pytest

from bootsmith.model.arch import Arch
from bootsmith.vm.boot_args import kernel_command_line
from bootsmith.vm.machine import Network


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
