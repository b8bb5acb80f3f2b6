"""Machines that run on by themselves, with real keepers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bootsmith.errors import (
    AgentError,
    BootTimeout,
    CommandFailed,
    HostError,
    ToolMissing,
    VMError,
)
from bootsmith.host.owned_folder import OwnedFolder
from bootsmith.vm.checkpoint import build_id_of
from bootsmith.vm.execution import Command
from bootsmith.vm.kept.machine import KeptMachine
from bootsmith.vm.kept.machines import KEPT_AFTER_END_S, Machines
from bootsmith.vm.kept.record import Record, State, write_record
from bootsmith.vm.machine import Accelerator, MachineSpec
from bootsmith.vm.runner import StartOptions
from tests.support.judges import require
from tests.support.tiny_kernel import write_tiny_kernel
from tests.vm.test_live_machine import BUILD_ID, spec
from tests.vm.test_runner import machine as tiny_machine

NOW_S = 1_800_000_000
PATIENT = StartOptions(accelerator=Accelerator.TCG, boot_timeout_s=240)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    made = Machines(tmp_path / "machines")
    yield made
    # A test that failed half-way leaves nothing running either.
    for record in made.all(now_s=NOW_S):
        if record.state is State.RUNNING:
            made.kill(record)


def await_true(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def is_alive(pid: int | None) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def entries(machines: Machines) -> list[str]:
    return sorted(path.name for path in machines.folder.iterdir() if path.name != ".lock")


# Without a guest: what is noted, and what it means.


def noted(machines: Machines, number: str, **changes: object) -> Record:
    record = Record(
        id=number, name=None, image="./image", arch="x86_64", memory_mib=64, started_s=NOW_S,
        state=State.ENDED, ended_s=NOW_S, ending="a test",
    )  # fmt: skip
    record = replace(record, **changes)  # type: ignore[arg-type]
    machines.folder.mkdir(exist_ok=True)
    with OwnedFolder.create(machines.folder / number) as folder:
        write_record(folder.path, record)
    return record


def test_nothing_is_noted_at_first(machines: Machines) -> None:
    assert machines.all(now_s=NOW_S) == []
    assert machines.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("word", "found"),
    [("web", "0b22aa00"), ("0a", "0a11aa00"), ("0b22aa00", "0b22aa00"), ("0a11", "0a11aa00")],
)
def test_a_machine_is_found_by_name_or_beginning_of_its_id(
    machines: Machines, word: str, found: str
) -> None:
    noted(machines, "0a11aa00")
    noted(machines, "0b22aa00", name="web")
    assert machines.find(word, now_s=NOW_S).id == found


@pytest.mark.parametrize(
    ("word", "says"),
    [("0", "may mean 0a11aa00, 0b22aa00"), ("9", "no machine '9'"), ("", "no machine")],
)
def test_what_is_not_one_machine_is_refused(machines: Machines, word: str, says: str) -> None:
    noted(machines, "0a11aa00")
    noted(machines, "0b22aa00", name="web")
    with pytest.raises(VMError, match=says):
        machines.find(word, now_s=NOW_S)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"state": State.STARTING}, None),
        ({"state": State.RUNNING, "ended_s": None, "ending": None}, State.ENDED),
        ({}, State.ENDED),
        ({"ended_s": NOW_S - KEPT_AFTER_END_S - 1}, None),
    ],
    ids=["its start was cut off", "its keeper was killed", "it has ended", "that is long ago"],
)
def test_what_is_stale_is_recognised(
    machines: Machines, changes: dict[str, object], state: State | None
) -> None:
    noted(machines, "0a11aa00", **changes)
    (machines.folder / "0a11aa00" / "socket").touch()
    states = [record.state for record in machines.all(now_s=NOW_S)]
    assert states == ([] if state is None else [state])
    assert entries(machines) == ([] if state is None else ["0a11aa00"])
    assert changes == {} or not (machines.folder / "0a11aa00" / "socket").exists()


def test_a_folder_with_an_owner_is_left_alone(machines: Machines) -> None:
    noted(machines, "0a11aa00", state=State.RUNNING, ended_s=None, ending=None)
    owner = OwnedFolder.seize(machines.folder / "0a11aa00")
    assert owner is not None
    with owner:
        assert [record.state for record in machines.all(now_s=NOW_S)] == [State.RUNNING]
        with pytest.raises(VMError, match="cannot be reached"):
            machines.connect(machines.find("0a", now_s=NOW_S))


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../../elsewhere"},
        {"id": "22222222"},
        {"keeper_pid": -1},
        {"keeper_pid": "1"},
        {"qemu_pid": True},
        {"started_s": None},
        {"image": ["a"]},
        {"state": "asleep"},
    ],
    ids=str,
)
def test_what_no_machine_can_have_noted(machines: Machines, change: dict[str, object]) -> None:
    noted(machines, "11111111")
    path = machines.folder / "11111111" / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert machines.all(now_s=NOW_S) == []


def test_what_is_noted_there_may_be_damaged(machines: Machines) -> None:
    noted(machines, "0a11aa00")
    (machines.folder / "0a11aa00" / "record.json").write_text('{"id": []')
    assert machines.all(now_s=NOW_S) == []
    assert entries(machines) == []


@pytest.mark.parametrize("name", ["", ".", "../x", "a b", "-v", "a" * 64, "ä"])
def test_names_that_are_none(machines: Machines, tmp_path: Path, name: str) -> None:
    with pytest.raises(VMError, match="no name for a machine"):
        machines.start(tiny_machine(tmp_path), PATIENT, image="x", name=name, now_s=NOW_S)


# Guests of a few bytes: what goes wrong at the start.


@pytest.mark.boot
class TestTinyGuests:
    @pytest.fixture(autouse=True)
    def _qemu(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        require("qemu-system-x86_64")
        (tmp_path / "tmp").mkdir()
        monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
        yield
        await_true(lambda: not any((tmp_path / "tmp").iterdir()), "something temporary is left")

    def start(self, machines: Machines, kernel: Path, **changes: object) -> Record:
        options = replace(PATIENT, **changes)  # type: ignore[arg-type]
        return machines.start(tiny_machine(kernel), options, image="x", name="web", now_s=NOW_S)

    def test_a_guest_that_panics(self, machines: Machines, tmp_path: Path) -> None:
        kernel = write_tiny_kernel(
            tmp_path / "kernel", b"hello\r\nKernel panic - not syncing: No working init.\r\n"
        )
        with pytest.raises(VMError, match="No working init") as failed:
            self.start(machines, kernel)
        assert "hello" in str(failed.value)
        assert entries(machines) == []

    def test_a_guest_that_never_answers(self, machines: Machines, tmp_path: Path) -> None:
        kernel = write_tiny_kernel(tmp_path / "kernel", b"I am thinking\r\n")
        with pytest.raises(BootTimeout, match="within 2 s") as failed:
            self.start(machines, kernel, boot_timeout_s=2)
        assert failed.value.console_tail in ("I am thinking", "")
        assert failed.value.hint
        assert entries(machines) == []

    def test_no_qemu(
        self, machines: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = replace(tiny_machine(tmp_path / "kernel"), kernel=tmp_path / "missing")
        with pytest.raises(VMError, match="kernel"):
            machines.start(other, PATIENT, image="x", name=None, now_s=NOW_S)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setenv("PYTHONPATH", str(_without_system_folders(tmp_path)))
        with pytest.raises(ToolMissing, match="qemu-system-x86_64") as failed:
            self.start(machines, write_tiny_kernel(tmp_path / "kernel"))
        assert failed.value.tool == "qemu-system-x86_64"
        assert entries(machines) == []

    def test_a_keeper_that_breaks_down(
        self, machines: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broken = tmp_path / "broken"
        broken.mkdir()
        (broken / "sitecustomize.py").write_text("raise SystemExit('the cat sat on it')")
        monkeypatch.setenv("PYTHONPATH", str(broken))
        with pytest.raises(VMError, match=r"(?s)ended before it was ready.*the cat sat on it"):
            self.start(machines, write_tiny_kernel(tmp_path / "kernel"))
        assert entries(machines) == []

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    def test_whoever_wants_it_gives_up_before_it_runs(
        self, machines: Machines, tmp_path: Path, number: signal.Signals
    ) -> None:
        kernel = write_tiny_kernel(tmp_path / "kernel", b"I am thinking\r\n")
        program = subprocess.Popen(
            [sys.executable, "-c", _START_A_TINY_ONE, str(machines.folder), str(kernel)],
            cwd=Path(__file__).parents[3],
            stderr=subprocess.DEVNULL,
        )
        await_true(lambda: any((tmp_path / "tmp").iterdir()), "nothing has been started")
        assert [one.state for one in machines.all(now_s=NOW_S)] == [State.STARTING]
        program.send_signal(number)
        program.wait(60)
        await_true(lambda: not machines.all(now_s=NOW_S), "it is still noted")


_START_A_TINY_ONE = """
import sys
from pathlib import Path
from bootsmith.host.signals import end_in_order
from bootsmith.vm.kept.machines import Machines
from tests.vm.kept.test_machines import PATIENT, tiny_machine
end_in_order()
Machines(Path(sys.argv[1])).start(
    tiny_machine(Path(sys.argv[2])), PATIENT, image="x", name=None, now_s=1_800_000_000
)
"""


def _without_system_folders(folder: Path) -> Path:
    """What an interpreter reads at its start, so that it finds nothing of the system's."""
    made = folder / "blind"
    made.mkdir()
    (made / "sitecustomize.py").write_text(
        "from bootsmith.host import tools\ntools._SYSTEM_FOLDERS = ()\n"
    )
    return made


# Real guests.


@pytest.fixture(scope="module")
def shared_machines(tmp_path_factory: pytest.TempPathFactory) -> Machines:
    # A path that no socket's address has room for.
    return Machines(tmp_path_factory.mktemp("x" * 100) / "machines")


@pytest.fixture(scope="module")
def running(shared_machines: Machines, debian_image: Path) -> Iterator[Record]:
    """A machine that several tests use; it is stopped in order."""
    record = shared_machines.start(
        real_spec(debian_image), PATIENT, image="debian", name="web", now_s=NOW_S
    )
    yield record
    with shared_machines.connect(record) as machine:
        machine.stop()
    assert entries(shared_machines) == []
    await_true(lambda: not is_alive(record.keeper_pid), "the keeper is left")
    assert not is_alive(record.qemu_pid)


def real_spec(image: Path) -> MachineSpec:
    return replace(spec(image), cpus=1, memory_mib=512)


@pytest.fixture
def machine(shared_machines: Machines, running: Record) -> Iterator[KeptMachine]:
    with shared_machines.connect(running) as connected:
        yield connected


@pytest.mark.boot
@pytest.mark.network
class TestRealGuest:
    def test_it_is_noted(self, shared_machines: Machines, running: Record) -> None:
        assert shared_machines.all(now_s=NOW_S) == [running]
        assert (running.state, running.accelerator) == (State.RUNNING, "tcg")
        assert is_alive(running.keeper_pid)

    def test_two_clients_at_once(
        self, shared_machines: Machines, running: Record, machine: KeptMachine
    ) -> None:
        with shared_machines.connect(running) as other:
            machine.agent.write_file("/run/note", b"from the first", timeout_s=60)
            found = other.agent.exec(["cat", "/run/note"], timeout_s=60)
        assert found.stdout == b"from the first"
        assert machine.agent.exec(["true"], timeout_s=60).exit_code == 0

    def test_its_name_is_taken(
        self, shared_machines: Machines, running: Record, debian_image: Path
    ) -> None:
        with pytest.raises(VMError, match="web is running already"):
            shared_machines.start(
                real_spec(debian_image), PATIENT, image="x", name=running.name, now_s=NOW_S
            )

    def test_its_log_is_told_and_followed(self, machine: KeptMachine) -> None:
        assert b"Linux version" in b"".join(machine.log())
        seen = bytearray()
        arrived = threading.Event()

        def follow() -> None:
            for data in machine.log(follow=True):
                seen.extend(data)
                if b"a word on the console" in seen:
                    arrived.set()
                    return

        follower = threading.Thread(target=follow)
        follower.start()
        machine.agent.exec("echo a word on the console > /dev/console", timeout_s=60)
        assert arrived.wait(60)
        follower.join()

    def test_a_port_is_led_there(self, machine: KeptMachine) -> None:
        port = machine.forward(9)  # where nobody listens
        assert port > 0
        with pytest.raises(AgentError, match=f"the port {port} of this machine cannot be used"):
            machine.forward(9, host_port=port)

    def test_what_a_client_leaves_behind_is_killed(
        self, shared_machines: Machines, running: Record, machine: KeptMachine
    ) -> None:
        program = subprocess.Popen(
            [
                sys.executable, "-c", _SLEEP_IN_THE_GUEST, str(shared_machines.folder), running.id,
            ],
            cwd=Path(__file__).parents[3], stdout=subprocess.PIPE,
        )  # fmt: skip
        assert program.stdout is not None
        assert program.stdout.readline() == b"asleep\n"
        program.kill()
        program.communicate()
        asleep = "for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$f; echo; done | grep 4711.5"
        await_true(
            lambda: machine.agent.exec(f"! ({asleep}) | grep -v grep", timeout_s=60).exit_code == 0,
            "it still runs in the guest",
        )

    def test_a_keeper_that_does_not_answer(
        self, shared_machines: Machines, running: Record, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bootsmith.vm.kept.machine._GREETING_S", 0.2)
        assert running.keeper_pid is not None
        os.kill(running.keeper_pid, signal.SIGSTOP)
        try:
            with pytest.raises(VMError, match="its keeper does not answer") as failed:
                shared_machines.connect(running)
        finally:
            os.kill(running.keeper_pid, signal.SIGCONT)
        assert str(running.keeper_pid) in str(failed.value.hint)

    def test_no_checkpoint_where_no_image_is_known(
        self, machine: KeptMachine, tmp_path: Path
    ) -> None:
        with pytest.raises(VMError, match="no checkpoint can be made") as refused:
            machine.checkpoint(tmp_path / "saved")
        assert refused.value.hint
        assert machine.agent.exec(["true"], timeout_s=60).exit_code == 0
        assert list(tmp_path.iterdir()) == []


_SLEEP_IN_THE_GUEST = """
import sys
from pathlib import Path
from bootsmith.vm.execution import Command
from bootsmith.vm.kept.machines import Machines
machines = Machines(Path(sys.argv[1]))
machine = machines.connect(machines.find(sys.argv[2], now_s=1_800_000_000))
command = machine.agent.start(Command.of("echo asleep; exec sleep 4711.5"))
for _, data in command.output():
    print(data.decode(), end="", flush=True)
"""

ENDS = {
    "the keeper is killed": "its keeper was killed",
    "QEMU is killed": "QEMU ended with status 137",
    "the guest powers off": "the guest powered off",
    "the guest's kernel gives up": "the guest's kernel gave up: Kernel panic",
}


@pytest.mark.boot
@pytest.mark.network
@pytest.mark.parametrize("end", ENDS)
def test_a_machine_that_ends_unasked(
    machines: Machines,
    debian_image: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    end: str,
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    record = machines.start(
        real_spec(debian_image), PATIENT, image="x", name="web", now_s=int(time.time())
    )
    assert record.keeper_pid is not None
    assert record.qemu_pid is not None
    with machines.connect(record) as machine:
        match end:
            case "the keeper is killed":
                os.kill(record.keeper_pid, signal.SIGKILL)
            case "QEMU is killed":
                os.kill(record.qemu_pid, signal.SIGKILL)
            case "the guest powers off":
                machine.agent.start(Command.of("echo o > /proc/sysrq-trigger"))
            case _:
                machine.agent.start(Command.of("echo c > /proc/sysrq-trigger"))
        while not machine.agent.line.failure:
            time.sleep(0.02)
    await_true(lambda: not is_alive(record.keeper_pid), "the keeper is left")
    await_true(lambda: not is_alive(record.qemu_pid), "QEMU is left")
    await_true(lambda: not any((tmp_path / "tmp").iterdir()), "something temporary is left")
    (ended,) = machines.all(now_s=int(time.time()))
    assert ended.state is State.ENDED
    assert ended.ending is not None
    assert ended.ending.startswith(ENDS[end])
    assert b"Linux version" in b"".join(machines.log(ended))
    with pytest.raises(VMError, match="has ended"):
        machines.connect(ended)
    machines.forget(ended)
    assert entries(machines) == []


# Checkpoints: the machine ends, and its keeper with it.


def started(machines: Machines, image: Path, **changes: object) -> Record:
    spec = replace(real_spec(image), **changes)  # type: ignore[arg-type]
    return machines.start(
        spec, PATIENT, image="x", name="web", now_s=NOW_S, build_id=BUILD_ID
    )  # fmt: skip


@pytest.mark.boot
@pytest.mark.network
def test_a_checkpoint_of_a_machine_with_other_clients(
    machines: Machines, debian_image: Path, tmp_path: Path
) -> None:
    record = started(machines, debian_image)
    saved = tmp_path / "saved by \udcff.qcow2"
    with machines.connect(record) as other, machines.connect(record) as machine:
        for bad, says in ((tmp_path, "it is a folder"), (tmp_path / "no" / "x", "No such file")):
            with pytest.raises(HostError, match=says):
                machine.checkpoint(bad)
        other.agent.exec("echo kept > /usr/local/note", timeout_s=60)  # and no sync
        asleep = other.agent.start(Command.of(["sleep", "1000"]))
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(machine.checkpoint, saved)
            second = pool.submit(other.checkpoint, tmp_path / "second.qcow2")
            failures = [one.exception() for one in (first, second)]
        (failed,) = [one for one in failures if one is not None]
        assert isinstance(failed, VMError), "only one of the two can be made"
        if second.exception() is None:
            saved = tmp_path / "second.qcow2"
        with pytest.raises(AgentError):
            list(asleep.output(timeout_s=60))
    assert entries(machines) == []
    assert build_id_of(saved) == BUILD_ID
    await_true(lambda: not is_alive(record.keeper_pid), "the keeper is left")
    assert not is_alive(record.qemu_pid)
    (drive,) = real_spec(debian_image).drives
    again = started(machines, debian_image, drives=(replace(drive, checkpoint=saved),))
    with machines.connect(again) as machine:
        found = machine.agent.exec(["cat", "/usr/local/note"], timeout_s=60)
        assert found.stdout == b"kept\n"
        machine.kill()


@pytest.mark.boot
@pytest.mark.network
def test_a_checkpoint_that_fails_when_the_machine_is_stopped(
    machines: Machines, debian_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "qemu-img").write_text(
        '#!/bin/sh\n[ "$1" != convert ] || { echo "the disk is broken" >&2; exit 1; }\n'
        f'exec {shutil.which("qemu-img")} "$@"\n'
    )
    (programs / "qemu-img").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    record = started(machines, debian_image)
    with (
        machines.connect(record) as machine,
        pytest.raises(CommandFailed, match="the disk is broken") as failed,
    ):
        machine.checkpoint(tmp_path / "saved")
    assert failed.value.exit_code == 1
    await_true(lambda: not is_alive(record.keeper_pid), "the keeper is left")
    (ended,) = machines.all(now_s=int(time.time()))
    assert ended.ending is not None
    assert ended.ending.startswith("no checkpoint could be made of it: qemu-img failed")
    assert [path.name for path in tmp_path.iterdir() if "saved" in path.name] == []
    assert [path.name for path in tmp_path.iterdir() if "checkpoint" in path.name] == []


@pytest.mark.boot
@pytest.mark.network
@pytest.mark.parametrize("is_stuck", [True, False], ids=["stuck", "asked to end"])
def test_a_keeper_takes_its_machine_along(
    machines: Machines, debian_image: Path, monkeypatch: pytest.MonkeyPatch, is_stuck: bool
) -> None:
    monkeypatch.setattr("bootsmith.vm.kept.machine._GREETING_S", 0.2)
    record = machines.start(real_spec(debian_image), PATIENT, image="x", name=None, now_s=NOW_S)
    assert record.keeper_pid is not None
    if is_stuck:
        os.kill(record.keeper_pid, signal.SIGSTOP)
        machines.kill(record)
    else:
        os.kill(record.keeper_pid, signal.SIGTERM)
    await_true(lambda: not is_alive(record.keeper_pid), "the keeper is left")
    await_true(lambda: not is_alive(record.qemu_pid), "QEMU is left")
    assert entries(machines) == []
