"""What a command cannot see, reach or leave behind."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from bootsmith.errors import StepFailed
from bootsmith.model.guest_command import GuestCommand
from bootsmith.model.guest_path import guest_path
from bootsmith.sandbox.executor import SandboxJob
from tests.sandbox.conftest import Sandbox, job
from tests.support.host_programs import host_programs_tree, with_files
from tests.support.processes import command_lines


def test_the_environment_is_only_the_jobs(
    any_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    command = GuestCommand(argv=("env",), label="env", env={"PATH": "/usr/bin", "A": "b"})
    any_sandbox.run(SandboxJob(commands=(command,)))
    assert sorted(any_sandbox.lines) == ["A=b", "PATH=/usr/bin"]


def test_no_process_tells_the_hosts_environment(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    sandbox.script("cat /proc/*/environ 2>/dev/null; true")
    assert not [line for line in sandbox.lines if "hunter2" in line]


def test_the_usual_devices_are_devices(any_sandbox: Sandbox) -> None:
    any_sandbox.script(
        "for d in null zero full random urandom; do test -c /dev/$d || echo no $d; done; "
        "echo lost > /dev/null; head -c 3 /dev/zero | dd bs=3 2>/dev/null | cat -v; echo; "
        "head -c 1 /dev/urandom >/dev/null && echo random"
    )
    assert any_sandbox.lines == ["^@^@^@", "random"]


def test_what_a_kernel_provides_is_there(sandbox: Sandbox) -> None:
    sandbox.script(
        "stat -c '%n %a %F' /dev /dev/pts /dev/shm /run /tmp; test -d /proc/self && echo proc; "
        "test -d /sys/kernel && echo sys; echo x > /dev/shm/x; readlink /dev/stdin /dev/ptmx"
    )
    assert sandbox.lines == [
        "/dev 755 directory",
        "/dev/pts 755 directory",
        "/dev/shm 1777 directory",
        "/run 755 directory",
        "/tmp 1777 directory",
        "proc",
        "sys",
        "/proc/self/fd/0",
        "pts/ptmx",
    ]


def test_a_command_is_root_with_the_users_of_a_whole_system(any_sandbox: Sandbox) -> None:
    any_sandbox.script("id -u; id -G; touch /root/x; chown 65534:65534 /root/x; stat -c %u /root/x")
    assert any_sandbox.lines == ["0", "0", "65534"]


def test_the_host_name_is_the_jobs(sandbox: Sandbox) -> None:
    sandbox.run(job("hostname", hostname="guest-7"))
    assert sandbox.lines == ["guest-7"]
    assert socket.gethostname() != "guest-7"


# Each attempt prints nothing when it failed to do harm.
ESCAPES = {
    "up the tree": (
        "cd /../../..; ls -d .{marker}; cd /proc/self/cwd/../..; ls -d .{marker}; "
        "cd /proc/self/root/..; ls -d .{marker}"
    ),
    "through process 1": "ls -d /proc/1/root/{marker} 2>/dev/null",
    "through process 1's files": (
        "for f in /proc/1/fd/*; do readlink $f 2>/dev/null; "
        "(echo x > $f && echo wrote $f) 2>/dev/null; done"
    ),
    "by a mount": (
        "mount -t tmpfs none /root 2>/dev/null && echo mounted; "
        "mount -t proc none /root 2>/dev/null && echo mounted; "
        "mount --bind / /root 2>/dev/null && echo mounted"
    ),
    "by taking a mount away": "umount /dev /proc /sys 2>/dev/null && echo unmounted",
    "by a disk": (
        "for n in '8 0' '253 0' '254 0' '259 0'; do rm -f /root/disk; "
        "mknod /root/disk b $n 2>/dev/null && head -c 1 /root/disk >/dev/null 2>&1 && echo read; "
        "done"
    ),
    "by the kernel's memory": (
        "mknod /root/mem c 1 1 2>/dev/null && head -c 1 /root/mem >/dev/null 2>&1 && echo read; "
        "head -c 1 /proc/kcore >/dev/null 2>&1 && echo read"
    ),
    "by the kernel's settings": (
        "(echo x > /proc/sys/kernel/core_pattern && echo wrote) 2>/dev/null; "
        "(echo x > /proc/sys/kernel/hostname && echo wrote) 2>/dev/null; "
        "(echo h > /proc/sysrq-trigger && echo wrote) 2>/dev/null; "
        "(echo x > /sys/kernel/uevent_helper && echo wrote) 2>/dev/null"
    ),
    "by the time": "date -s @0 2>/dev/null && echo set",
    "by the host's name": "hostname evil 2>/dev/null && hostname | grep -v evil",
    "by killing process 1": "for s in KILL STOP INT TERM HUP CHLD; do kill -$s 1; done; sleep 0.1",
    "by a user namespace": "unshare -Urm sh -c 'ls -d {marker}' 2>/dev/null",
}


@pytest.mark.parametrize("attempt", ESCAPES.values(), ids=ESCAPES)
def test_nothing_gets_out(sandbox: Sandbox, attempt: str, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    marker.write_text("outside")
    before = socket.gethostname()
    sandbox.script(f"({attempt.format(marker=marker)}) 2>/dev/null\ntrue")
    assert sandbox.lines == []
    assert marker.read_text() == "outside"
    assert socket.gethostname() == before


def test_no_file_of_ours_is_open(any_sandbox: Sandbox) -> None:
    """An inherited folder would be a way around any change of the root."""
    any_sandbox.script(
        "for n in 3 4 5 6 7 8 9; do (true >&$n) 2>/dev/null && echo $n is open; done; "
        "for f in /proc/$$/fd/*; do readlink $f; done | while read -r place; do "
        "case $place in /dev/null | pipe:* | /) ;; *) echo $place ;; esac; done"
    )
    assert any_sandbox.lines == []


def test_a_link_to_the_hosts_files_leads_into_the_tree(
    any_sandbox: Sandbox, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("outside")
    any_sandbox.script(
        f"mkdir -p {tmp_path}; ln -s {victim} /root/l; echo inside > /root/l; cat {victim}"
    )
    assert any_sandbox.lines == ["inside"]
    assert victim.read_text() == "outside"


def test_a_background_process_ends_with_its_command(any_sandbox: Sandbox) -> None:
    marker = f"sleep 98{os.getpid()}"
    any_sandbox.run(
        job(f"({marker} &) ; {marker} & echo started", "sleep 0.05; ls /root", hostname="h")
    )
    assert any_sandbox.lines == ["started"]
    assert marker not in command_lines()


def test_a_daemon_ends_with_its_command(any_sandbox: Sandbox) -> None:
    marker = f"sleep 97{os.getpid()}"
    daemon = f"trap '' TERM HUP; {marker}; echo never"
    any_sandbox.script(f'setsid sh -c "{daemon}" </dev/null >/dev/null 2>&1 & sleep 0.1')
    assert marker not in command_lines()


def test_a_daemon_that_keeps_the_output_open_holds_nobody_up(any_sandbox: Sandbox) -> None:
    any_sandbox.script("setsid sleep 1000 & echo done")
    assert any_sandbox.lines == ["done"]


def test_there_is_no_network_unless_asked(sandbox: Sandbox) -> None:
    sandbox.script("cat /proc/net/dev")
    devices = [line.partition(":")[0].strip() for line in sandbox.lines if ":" in line]
    assert "lo" in devices
    assert all(name in ("lo", "sit0", "tunl0", "ip6tnl0") or "0" in name for name in devices)
    assert "eth0" not in devices


def test_the_network_is_the_hosts_when_asked(sandbox: Sandbox, tmp_path: Path) -> None:
    host = Path("/proc/net/dev").read_text(encoding="ascii").splitlines()
    sandbox.run(job("cat /proc/net/dev", network=True))
    assert _devices(sandbox.lines) == _devices(host)


def test_the_hosts_name_servers_are_seen_and_not_kept(any_sandbox: Sandbox) -> None:
    host = Path("/etc/resolv.conf")
    expected = host.read_text(encoding="utf-8").splitlines() if host.exists() else []
    layer = any_sandbox.run(job("cat /etc/resolv.conf", network=True))
    assert any_sandbox.lines == expected
    assert layer.members == ()


def test_a_guests_own_resolv_conf_stays(sandbox: Sandbox) -> None:
    tree = with_files(host_programs_tree(), {"etc/resolv.conf": b"nameserver 192.0.2.1\n"})
    layer = sandbox.run(job("cat /etc/resolv.conf > /dev/null", network=True), tree)
    assert layer.members == ()
    sandbox.run(job("cat /etc/resolv.conf"), tree)
    assert sandbox.lines == ["nameserver 192.0.2.1"]


def test_nothing_is_left_on_this_machine(any_sandbox: Sandbox) -> None:
    any_sandbox.script("mkdir -m 000 /root/closed; echo x > /root/x")
    assert list(any_sandbox.folder.iterdir()) == []
    with pytest.raises(StepFailed):
        any_sandbox.script("mkdir -m 000 /root/closed; exit 1")
    assert list(any_sandbox.folder.iterdir()) == []


def test_several_sandboxes_at_once(any_sandbox: Sandbox) -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            layer = any_sandbox.script(f"echo {number} > /root/{number}; sleep 0.1; ls /root")
            assert guest_path(f"root/{number}") in dict(layer.members)
        except BaseException as error:  # noqa: BLE001  (told to the test below)
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sorted(any_sandbox.lines) == ["0", "1", "2", "3"]


def _devices(lines: list[str]) -> list[str]:
    return sorted(line.partition(":")[0].strip() for line in lines if ":" in line)
