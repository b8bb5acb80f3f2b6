"""Starting machines with a real QEMU and guests of a few bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bootsmith.errors import BootTimeout, ToolMissing, VMError
from bootsmith.host import tools
from bootsmith.host.acceleration import acceleration_facts
from bootsmith.model.arch import Arch
from bootsmith.model.reporter import Silent
from bootsmith.vm.machine import (
    Accelerator,
    DiskFormat,
    DiskMode,
    Drive,
    MachineSpec,
    MachineType,
)
from bootsmith.vm.runner import StartOptions, start_machine
from tests.support.judges import require
from tests.support.tiny_kernel import Then, write_tiny_kernel

pytestmark = pytest.mark.boot

PATIENT = StartOptions(accelerator=Accelerator.TCG, boot_timeout_s=60)
HASTY = StartOptions(accelerator=Accelerator.TCG, boot_timeout_s=1)


@pytest.fixture(autouse=True)
def private_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Everything temporary goes there, so that a test can see what is left of it."""
    require("qemu-system-x86_64")
    folder = tmp_path / "runtime"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", os.fspath(folder))
    return folder


@pytest.fixture(autouse=True)
def _nothing_is_left_over(private_temporary_folder: Path) -> object:
    yield
    assert list(private_temporary_folder.iterdir()) == []


def machine(kernel: Path, **changes: object) -> MachineSpec:
    spec = MachineSpec(
        arch=Arch.X86_64,
        machine=MachineType.Q35,
        accelerator=Accelerator.TCG,
        kernel=kernel,
        cpus=1,
        memory_mib=64,
    )
    return replace(spec, **changes)  # type: ignore[arg-type]


def test_a_guest_that_panics_is_noticed_at_once(tmp_path: Path) -> None:
    kernel = write_tiny_kernel(
        tmp_path / "kernel", b"hello\r\nKernel panic - not syncing: No working init found.\r\n"
    )
    started = time.monotonic()
    with pytest.raises(VMError, match="No working init found") as caught:
        start_machine(machine(kernel), PATIENT)
    assert "hello" in str(caught.value), "the end of the console is shown"
    assert time.monotonic() - started < 50, "nobody waited for the timeout"


def test_a_guest_that_never_answers(tmp_path: Path) -> None:
    kernel = write_tiny_kernel(tmp_path / "kernel", b"I am thinking\r\n")
    with pytest.raises(BootTimeout, match="within 1 s") as caught:
        start_machine(machine(kernel), HASTY)
    assert caught.value.console_tail in ("I am thinking", "")
    assert caught.value.hint


def test_a_guest_that_says_nothing_at_all(tmp_path: Path) -> None:
    with pytest.raises(BootTimeout, match="console is empty"):
        start_machine(machine(write_tiny_kernel(tmp_path / "kernel")), HASTY)


def test_a_guest_that_resets(tmp_path: Path) -> None:
    kernel = write_tiny_kernel(tmp_path / "kernel", b"oh no\r\n", then=Then.RESET)
    with pytest.raises(VMError, match="status 0 before the guest was ready") as caught:
        start_machine(machine(kernel), PATIENT)
    assert "oh no" in str(caught.value)


@pytest.mark.parametrize("kernel", ["missing", "empty"])
def test_a_kernel_qemu_does_not_take(tmp_path: Path, kernel: str) -> None:
    path = tmp_path / kernel
    if kernel == "empty":
        path.touch()
    with pytest.raises(VMError, match="QEMU ended with status 1") as caught:
        start_machine(machine(path), PATIENT)
    assert "kernel" in str(caught.value), "QEMU's own words are shown"


def test_no_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = write_tiny_kernel(tmp_path / "kernel")
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    monkeypatch.setattr(tools, "_SYSTEM_FOLDERS", ())
    with pytest.raises(ToolMissing, match="qemu-system-x86_64"):
        start_machine(machine(kernel), PATIENT)


def test_a_drive_that_is_not_what_it_says(tmp_path: Path) -> None:
    kernel = write_tiny_kernel(tmp_path / "kernel")
    image = tmp_path / "rootfs.qcow2"
    image.write_bytes(bytes(1 << 20))
    with pytest.raises(VMError, match="it is no qcow2 file"):
        start_machine(
            machine(kernel, drives=(Drive(path=image, format=DiskFormat.QCOW2),)), PATIENT
        )


@pytest.mark.parametrize("mode", [DiskMode.READONLY, DiskMode.MEMORY, DiskMode.COW])
def test_an_image_is_only_read(tmp_path: Path, mode: DiskMode) -> None:
    require("qemu-img")
    image = tmp_path / "a, b.ext4"
    image.write_bytes(bytes(1 << 20))
    image.chmod(0o444)
    before = _identity(image)
    kernel = write_tiny_kernel(tmp_path / "kernel", b"up\r\n")
    spec = machine(kernel, drives=(Drive(path=image, mode=mode),), ports=())
    with start_machine(spec, PATIENT) as running:
        assert running.status() is None
        while not running.console.has_output:
            running.wait_for_change(1)
        if sys.platform.startswith("linux"):
            assert _open_modes(running.pid, image) == {os.O_RDONLY}
        running.kill()
    assert _identity(image) == before


def _identity(path: Path) -> tuple[int, ...]:
    facts = path.stat()
    return (facts.st_ino, facts.st_mode, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


def _open_modes(pid: int, path: Path) -> set[int]:
    """How a process has opened ``path``."""
    modes = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        if fd.readlink() == path:
            words = Path(f"/proc/{pid}/fdinfo/{fd.name}").read_text().split()
            modes.add(int(words[words.index("flags:") + 1], 8) & os.O_ACCMODE)
    return modes


def test_a_machine_without_an_agent_is_started_and_stopped(tmp_path: Path) -> None:
    kernel = write_tiny_kernel(tmp_path / "kernel", b"up\r\n")
    log = tmp_path / "console, log"
    seen = bytearray()
    options = replace(PATIENT, console_log=log, on_console=seen.extend)
    with start_machine(machine(kernel, ports=()), options) as running:
        assert running.agent is None
        while not running.console.has_output:
            running.wait_for_change(1)
        running.stop(timeout_s=1)
        running.stop()
        assert running.status() is not None
    assert log.read_bytes() == seen == b"up\r\n"


def test_many_at_once_do_not_get_into_each_others_way(tmp_path: Path) -> None:
    kernel = write_tiny_kernel(tmp_path / "kernel", b"up\r\n")

    def run(_: int) -> int:
        running = start_machine(machine(kernel, ports=()), PATIENT)
        pid = running.pid
        running.kill()
        return pid

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(run, range(8)))) == 8


class _Listener(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def test_an_accelerator_that_hangs_or_fails_is_found_out(tmp_path: Path) -> None:
    """As if only a look at the modules were missing, which is what a new hypervisor would be."""
    facts = replace(
        acceleration_facts(), kvm_problem=None, kvm_modules=(), hvf_problem=None, arch=Arch.X86_64
    )
    listener = _Listener()
    kernel = write_tiny_kernel(tmp_path / "kernel", b"up\r\n")
    options = StartOptions(
        first_output_timeout_s=2, state_folder=tmp_path / "state", reporter=listener
    )
    with start_machine(machine(kernel, ports=()), options, facts=facts) as running:
        while not running.console.has_output:
            running.wait_for_change(1)
        noted = acceleration_facts(tmp_path / "state").hung_before
        if running.decision.accelerator is Accelerator.TCG:
            assert noted
            assert len(listener.warnings) == 1
            assert "emulation, because under" in listener.warnings[0]
        else:
            assert not noted
            assert listener.warnings == []
        running.kill()


def test_a_broken_image_is_not_blamed_on_the_accelerator(tmp_path: Path) -> None:
    facts = replace(
        acceleration_facts(), kvm_problem=None, kvm_modules=(), hvf_problem=None, arch=Arch.X86_64
    )
    state = tmp_path / "state"
    with pytest.raises(VMError, match="kernel"):
        start_machine(machine(tmp_path / "missing"), StartOptions(state_folder=state), facts=facts)
    assert not acceleration_facts(state).hung_before


_WITHOUT_SECCOMP = """#!/bin/sh
for word; do
  if [ "$word" = -sandbox ]; then
    echo "$0: -sandbox on: There is no option group 'sandbox'" >&2
    exit 1
  fi
done
exec {qemu} "$@"
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has seccomp")
def test_a_qemu_that_cannot_confine_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapper = tmp_path / "bin" / "qemu-system-x86_64"
    wrapper.parent.mkdir()
    wrapper.write_text(_WITHOUT_SECCOMP.format(qemu=require("qemu-system-x86_64")))
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    kernel = write_tiny_kernel(tmp_path / "kernel", b"up\r\n")
    listener = _Listener()
    with start_machine(machine(kernel, ports=()), replace(PATIENT, reporter=listener)) as running:
        assert "-sandbox" not in Path(f"/proc/{running.pid}/cmdline").read_text()
        running.kill()
    assert any("confine" in warning for warning in listener.warnings)


_PROGRAM = """
import sys, tempfile
from pathlib import Path
from tests.vm.test_runner import PATIENT, machine
from bootsmith.vm.runner import start_machine

tempfile.tempdir = sys.argv[2]
spec = machine(Path(sys.argv[1]), ports=())
with start_machine(spec, PATIENT) as running:
    print(running.pid, flush=True)
    running.wait()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_of_a_program_that_is_stopped(
    tmp_path: Path, private_temporary_folder: Path, number: signal.Signals
) -> None:
    kernel = write_tiny_kernel(tmp_path / "kernel", b"up\r\n")
    program = subprocess.Popen(
        (sys.executable, "-c", _PROGRAM, kernel, private_temporary_folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert program.stdout is not None
    pid = int(program.stdout.readline())
    assert any(private_temporary_folder.iterdir())
    program.send_signal(number)
    _, complaints = program.communicate(timeout=30)
    assert program.returncode != 0
    assert (b"KeyboardInterrupt" in complaints) == (number is signal.SIGINT)
    end = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() or list(private_temporary_folder.iterdir()):
        assert time.monotonic() < end, "something is left over"
        time.sleep(0.02)
