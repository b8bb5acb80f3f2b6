from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bootsmith.model.arch import Arch
from bootsmith.vm.machine import DiskFormat, MachineType, Network, default_machine
from bootsmith.vm.qemu_argv import Wiring, qemu_argv
from tests.support.golden import golden
from tests.vm.golden_machines import GOLDEN, machine

_FOLDER = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_the_command_line_of_each_machine(name: str) -> None:
    assert GOLDEN[name] == golden(__file__, name)


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in _FOLDER.iterdir()} == set(GOLDEN)


def test_a_comma_in_a_path_is_no_option_of_its_own() -> None:
    assert "file=/image,, with a comma/rootfs.ext4,format=raw" in GOLDEN["everything.txt"]


def test_a_machine_without_ports_network_and_drives_has_no_devices_for_them() -> None:
    spec = replace(machine(), ports=(), network=Network.NONE, drives=())
    words = " ".join(qemu_argv(spec, Wiring(console=3, qmp=4, ports={})))
    assert "serial-pci" not in words
    assert "net" not in words.replace("-nodefaults", "").replace("eth0", "").split("-append")[0]
    assert "virtio-blk" not in words


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("rootfs.ext4", DiskFormat.RAW),
        ("rootfs.qcow2", DiskFormat.QCOW2),
        ("rootfs.qcow2.raw", DiskFormat.RAW),
    ],
)
def test_the_format_follows_the_extension(name: str, wanted: DiskFormat) -> None:
    assert DiskFormat.of(Path("/x") / name) is wanted


def test_the_default_machine() -> None:
    assert default_machine(Arch.AARCH64) is MachineType.VIRT
    assert default_machine(Arch.X86_64) is MachineType.Q35
