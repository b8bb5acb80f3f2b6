"""A real image in a real machine: what our host and its guest do together."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bootsmith.errors import AgentError, VMError
from bootsmith.model.arch import Arch
from bootsmith.vm.agent import Agent
from bootsmith.vm.boot_args import kernel_command_line
from bootsmith.vm.checkpoint import build_id_of
from bootsmith.vm.execution import Command
from bootsmith.vm.machine import (
    Accelerator,
    DiskMode,
    Drive,
    MachineSpec,
    MachineType,
    Network,
    Share,
)
from bootsmith.vm.runner import StartOptions, start_machine
from bootsmith.vm.running import RunningMachine
from bootsmith.vm.shell import run_on_terminal
from tests.support.judges import require
from tests.vm.test_shell import TypedScreen

pytestmark = [pytest.mark.boot, pytest.mark.network]

BUILD_ID = "00000000-0000-5000-8000-000000000000"


def spec(
    image: Path,
    *,
    drive: Drive | None = None,
    network: Network = Network.NONE,
    shares: tuple[Share, ...] = (),
) -> MachineSpec:
    require("qemu-system-x86_64")
    drive = drive or Drive(path=image / "rootfs.ext4")
    return MachineSpec(
        arch=Arch.X86_64,
        machine=MachineType.Q35,
        accelerator=Accelerator.TCG,
        kernel=image / "vmlinuz-virt",
        initramfs=image / "initramfs.cpio.lz4",
        cmdline=kernel_command_line(
            Arch.X86_64,
            network=network,
            writable_root=drive.mode is not DiskMode.READONLY,
            shares=shares,
        ),
        drives=(drive,),
        network=network,
        shares=shares,
    )


def boot(machine: MachineSpec) -> RunningMachine:
    return start_machine(machine, StartOptions(boot_timeout_s=240))


def agent_of(machine: RunningMachine) -> Agent:
    assert machine.agent is not None
    return machine.agent


def say(machine: RunningMachine, command: str) -> str:
    result = agent_of(machine).exec(command, timeout_s=120)
    assert result.exit_code == 0, result
    return result.stdout.decode()


@pytest.fixture(scope="module")
def machine(debian_image: Path) -> Iterator[RunningMachine]:
    with boot(spec(debian_image, network=Network.USER)) as running:
        yield running


def test_a_command(machine: RunningMachine) -> None:
    result = agent_of(machine).exec("id -u; echo err >&2; exit 3", timeout_s=60)
    assert (result.exit_code, result.stdout, result.stderr) == (3, b"0\n", b"err\n")


def test_much_in_and_much_out(machine: RunningMachine) -> None:
    data = hashlib.shake_128(b"vm").digest(5_000_001)
    assert agent_of(machine).exec(["cat"], stdin=data, timeout_s=240).stdout == data


def test_a_file_there_and_back(machine: RunningMachine) -> None:
    data = hashlib.shake_128(b"file").digest(2_000_003)
    agent_of(machine).write_file("/root/file", data, timeout_s=120)
    assert say(machine, "sha256sum < /root/file").split()[0] == hashlib.sha256(data).hexdigest()
    assert b"".join(agent_of(machine).read_file("/root/file", timeout_s=120)) == data
    agent_of(machine).delete_file("/root/file", timeout_s=60)


def test_commands_of_many_threads(machine: RunningMachine) -> None:
    with ThreadPoolExecutor(16) as pool:
        said = list(pool.map(lambda number: say(machine, f"echo {number}"), range(32)))
    assert said == [f"{number}\n" for number in range(32)]


def test_a_terminal_session(machine: RunningMachine) -> None:
    screen = TypedScreen((b"# ", b"tty -s && echo is-a-$((40+2))-tty; exit 5\r"))
    result = run_on_terminal(agent_of(machine), screen, env={"TERM": "dumb"})
    assert result.exit_code == 5
    assert b"is-a-42-tty" in screen.shown


def test_the_network_is_up(machine: RunningMachine) -> None:
    assert "10.0.2.15" in say(machine, "hostname -I || cat /proc/net/fib_trie")


_SERVER = """
use IO::Socket::INET; $| = 1;
$listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 7777, Listen => 5) or die;
print "listening\n";
while ($client = $listener->accept) { while (<$client>) { print $client uc } close $client }
"""


def test_a_port_that_leads_into_the_guest(machine: RunningMachine) -> None:
    server = agent_of(machine).start(Command.of(["perl", "-e", _SERVER]))
    output = server.output(timeout_s=60)
    assert next(output)[1] == b"listening\n"
    forward = machine.forward(7777)
    try:
        for word in (b"one", b"two"):
            with socket.create_connection(("127.0.0.1", forward.host_port), timeout=60) as client:
                client.sendall(word + b"\n")
                client.shutdown(socket.SHUT_WR)
                assert client.makefile("rb").read() == word.upper() + b"\n"
        nobody = machine.forward(7778)
        with socket.create_connection(("127.0.0.1", nobody.host_port), timeout=60) as client:
            assert client.recv(100) == b""
    finally:
        forward.close()
        server.close()


def test_shared_folders(debian_image: Path, tmp_path: Path) -> None:
    (tmp_path / "work" / "sub").mkdir(parents=True)
    (tmp_path / "work" / "file").write_text("from the host\n")
    (tmp_path / "fixed").mkdir()
    (tmp_path / "fixed" / "file").write_text("fixed\n")
    shares = (
        Share(host_folder=tmp_path / "work", guest_folder="/work"),
        Share(host_folder=tmp_path / "fixed", guest_folder="/mnt/fixed", readonly=True),
    )
    with boot(spec(debian_image, shares=shares)) as vm:
        assert say(vm, "cat /work/file /mnt/fixed/file") == "from the host\nfixed\n"
        say(
            vm, "cd /work && tar cf - -C / usr/share/doc/bash | tar xf - && mv usr/share/doc/bash ."
        )
        say(vm, "cd /work && ln -s /etc/hostname name && rm -r usr && echo guest > sub/new")
        assert agent_of(vm).exec("echo x > /mnt/fixed/new", timeout_s=60).exit_code != 0
        (tmp_path / "work" / "sub" / "late").write_text("later\n")
        assert say(vm, "sleep 1.2; cat /work/sub/new /work/sub/late") == "guest\nlater\n"
        listed = say(vm, "cd /work && find . -type f | sort | xargs sha256sum")
    work = tmp_path / "work"
    assert (work / "name").readlink() == Path("/etc/hostname")
    (work / "name").unlink()
    files = sorted(f"./{path.relative_to(work)}" for path in work.rglob("*") if path.is_file())
    digests = [hashlib.sha256((work / name).read_bytes()).hexdigest() for name in files]
    assert listed.split() == [word for pair in zip(digests, files, strict=True) for word in pair]
    assert len(files) > 3
    assert [path.name for path in (tmp_path / "fixed").iterdir()] == ["file"]


@pytest.mark.parametrize("mode", [DiskMode.READONLY, DiskMode.MEMORY])
def test_root_modes(debian_image: Path, mode: DiskMode) -> None:
    with boot(spec(debian_image, drive=Drive(path=debian_image / "rootfs.ext4", mode=mode))) as vm:
        wrote = agent_of(vm).exec("touch /usr/here && sync", timeout_s=60).exit_code == 0
        assert wrote == (mode is DiskMode.MEMORY)


def test_what_was_written_is_there_after_a_checkpoint(debian_image: Path, tmp_path: Path) -> None:
    drive = Drive(path=debian_image / "rootfs.ext4")
    before = drive.path.stat().st_mtime_ns
    saved = tmp_path / "saved.qcow2"
    first = boot(spec(debian_image, drive=drive))
    try:
        say(first, "echo kept > /usr/local/note")  # no sync: stopping must see to it
        first.checkpoint(saved, image=drive, build_id=BUILD_ID)
    finally:
        first.kill()
    assert build_id_of(saved) == BUILD_ID
    with boot(spec(debian_image, drive=Drive(path=drive.path, checkpoint=saved))) as second:
        assert say(second, "cat /usr/local/note") == "kept\n"
    assert drive.path.stat().st_mtime_ns == before


def test_stopping_is_orderly_and_quick(debian_image: Path) -> None:
    running = boot(spec(debian_image))
    try:
        say(running, "(trap '' TERM; sleep 1000) >/dev/null 2>&1 & sleep 1000 >/dev/null 2>&1 &")
        started = time.monotonic()
        running.stop(timeout_s=60)
        assert running.status() == 0, "the guest powered off by itself"
        assert time.monotonic() - started < 55
        assert "Power down" in running.console.tail()
    finally:
        running.kill()


def test_a_machine_whose_plug_is_pulled_ends_every_command(debian_image: Path) -> None:
    running = boot(spec(debian_image))
    try:
        started = agent_of(running).start(Command.of(["sleep", "1000"]))
        threading.Timer(0.2, os.kill, (running.pid, signal.SIGKILL)).start()
        with pytest.raises(AgentError):
            list(started.output(timeout_s=60))
        with pytest.raises(VMError):
            agent_of(running).exec(["true"], timeout_s=60)
        assert running.wait(60) == 128 + signal.SIGKILL
    finally:
        running.stop()


def test_an_agent_that_is_killed_ends_its_commands(debian_image: Path) -> None:
    with boot(spec(debian_image)) as running:
        agent = agent_of(running)
        with pytest.raises(AgentError) as caught:
            agent.exec("kill -9 $PPID; sleep 1000", timeout_s=60)
        assert caught.value.code == "restarted"
        assert agent.exec(["true"], timeout_s=60).exit_code == 0
        running.kill()


def test_two_machines_on_one_image(debian_image: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(boot, [spec(debian_image)] * 2)
    with first, second:
        say(first, "echo first > /usr/local/mark")
        assert agent_of(second).exec("cat /usr/local/mark", timeout_s=60).exit_code != 0
