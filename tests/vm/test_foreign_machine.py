"""An image of another architecture: a real kernel, our agent, emulated."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootsmith.errors import ToolMissing, VMError
from bootsmith.host import tools
from bootsmith.model.arch import Arch
from bootsmith.sdk.vm import VM
from bootsmith.sdk.vm_options import VMOptions
from tests.support.judges import require
from tests.support.small_image import write_small_image

pytestmark = [pytest.mark.boot, pytest.mark.network]

FOREIGN = Arch.X86_64 if platform.machine() in ("aarch64", "arm64") else Arch.AARCH64


@pytest.fixture(scope="module")
def foreign_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_image(tmp_path_factory.mktemp("foreign") / "image", FOREIGN)


@pytest.fixture(scope="module")
def vm(foreign_image: Path) -> Iterator[VM]:
    require(FOREIGN.qemu_system)
    with VM(foreign_image, options=VMOptions(memory_mib=512)) as running:
        yield running


def test_it_runs_its_own_instructions(vm: VM) -> None:
    assert vm.exec(["uname", "-m"], timeout_s=60).stdout.strip() == FOREIGN.value


def test_streams_and_status_pass(vm: VM) -> None:
    data = bytes(range(256)) * 4096
    result = vm.exec(["sh", "-c", "cat; exit 3"], stdin=data, timeout_s=120)
    assert (result.exit_code, result.stdout_bytes) == (3, data)


def test_its_disk_can_be_written(vm: VM) -> None:
    vm.write_file("/root/note", b"kept", timeout_s=60)
    assert vm.read_file("/root/note", timeout_s=60) == b"kept"
    assert " / ext4 rw" in vm.exec(["cat", "/proc/mounts"], timeout_s=60).stdout


def test_it_has_a_network(vm: VM) -> None:
    assert "10.0.2.15" in vm.exec(["cat", "/proc/net/fib_trie"], timeout_s=60).stdout


def test_it_cannot_be_accelerated(foreign_image: Path) -> None:
    with pytest.raises(VMError, match=f"does not execute {FOREIGN} instructions") as refused:
        VM(foreign_image, options=VMOptions(acceleration="kvm")).start()
    assert refused.value.hint


def test_the_emulator_is_not_installed(
    foreign_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    qemu_img = require("qemu-img")
    (tmp_path / "qemu-img").symlink_to(qemu_img)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "_SYSTEM_FOLDERS", ())
    with pytest.raises(ToolMissing, match=FOREIGN.qemu_system) as missing:
        VM(foreign_image).start()
    assert missing.value.tool == FOREIGN.qemu_system
