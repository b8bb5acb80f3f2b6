"""The machine gives what the namespaces give: the same layer, the same view, the same errors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bootsmith.errors import BootsmithError, HostError, ImageError, StepFailed, VMError
from bootsmith.model.guest_command import GuestCommand, GuestFile
from bootsmith.model.guest_path import GuestPath, guest_path
from bootsmith.sandbox.executor import SandboxJob
from bootsmith.tree.entry import (
    Directory,
    Entry,
    Fifo,
    HardLink,
    InlineBytes,
    Member,
    Metadata,
    RegularFile,
    Run,
    SparseContent,
    Symlink,
)
from bootsmith.tree.file_tree import FileTree, TreeBuilder
from bootsmith.tree.layer import Layer
from tests.sandbox.conftest import ENVIRONMENT, job, make_sandbox
from tests.sandbox.test_changes import CASES, FILES
from tests.support.debian_kernel import kernel_package
from tests.support.host_programs import MTIME_NS, host_programs_tree, with_files
from tests.support.http_server import serve
from tests.support.layer_summary import summary
from tests.support.ordinary_user import CHECKOUT
from tests.support.processes import command_lines
from tests.support.vm_sandbox import VmSandbox

pytestmark = pytest.mark.boot

_NOW_NS = 1_700_000_001 * 1_000_000_000  # later than anything that was in the trees

SURROUNDED = (
    GuestFile(
        path=guest_path("usr/sbin/policy-rc.d"), content=b"#!/bin/sh\nexit 101\n", mode=0o755
    ),
    GuestFile(path=guest_path("run/deep/script"), content=b"#!/bin/sh\necho ran\n", mode=0o755),
    GuestFile(path=guest_path("etc/covered"), content=b"for the run\n"),
)

VIEW = """
id -u; id -G; umask; env | while read -r line; do echo "$line"; done
stat -c '%n %a %F %t:%T' /dev/* /dev/pts /dev/shm /run /tmp
for link in fd stdin stdout stderr ptmx; do readlink /dev/$link; done
while read -r name rest; do case $name in Cap* | Groups: | Umask:) echo $name $rest ;; esac; done \\
    < /proc/self/status
hostname; echo $PWD; cat; usr/sbin/policy-rc.d || echo $?; /run/deep/script; cat /etc/covered
for n in 3 4 5 6 7 8 9; do (true >&$n) 2>/dev/null && echo $n is open; done
(seq 1 100000; echo $? >&2) | head -1 >/dev/null
(echo x > /proc/sys/kernel/core_pattern && echo wrote) 2>/dev/null
(echo h > /proc/sysrq-trigger && echo wrote) 2>/dev/null
(echo x > /sys/kernel/uevent_helper && echo wrote) 2>/dev/null
mount -t tmpfs none /root 2>/dev/null && echo mounted
umount /dev /proc /sys 2>/dev/null && echo unmounted
mknod /root/disk b 254 0; head -c 1 /root/disk >/dev/null 2>&1 && echo read; rm /root/disk
hostname evil 2>/dev/null && hostname
for file in /proc/1/fd/*; do readlink $file 2>/dev/null; done
for number in KILL STOP TERM; do kill -$number 1; done
true
"""
"""What a command can see and may do; whatever it prints must be the same in both."""


@pytest.fixture
def vm(tmp_path: Path) -> VmSandbox:
    return VmSandbox(tmp_path)


def members(layer: Layer, made_now: set[bytes]) -> dict[GuestPath, Member]:
    """By path; times of the run itself are one time, and their paths noted."""
    found = {}
    for member in layer.members:
        entry = member.entry
        if not isinstance(entry, HardLink) and entry.metadata.mtime_ns > _NOW_NS:
            made_now.add(member.path)
            entry = entry._replace(metadata=entry.metadata._replace(mtime_ns=_NOW_NS))
        found[member.path] = Member(member.path, entry)
    return found


def every_change() -> tuple[FileTree, str]:
    """All cases of the namespaces' tests, each in a folder of its own, and then some."""
    files: dict[str, bytes] = {}
    script = "set -e\n"
    for number, case in enumerate(CASES.values()):
        files |= {f"{number}/{path}": content for path, content in FILES.items()}
        script += f"(cd /{number}; {case.script.replace(' /data', f' /{number}/data')})\n"
    plain = Metadata(0o644, mtime_ns=MTIME_NS)
    builder = TreeBuilder(with_files(host_programs_tree(), files))
    builder.put(guest_path("x"), Directory(Metadata(0o2751, 3, 4, MTIME_NS)))
    entries: dict[str, Entry] = {
        "x/file": RegularFile(Metadata(0o6751, 1, 2, MTIME_NS), InlineBytes(b"content\n")),
        "x/hard": HardLink(guest_path("x/file")),
        "x/link": Symlink(Metadata(0o777, 5, 6, MTIME_NS), b"file"),
        "x/fifo": Fifo(Metadata(0o620, 7, 8, MTIME_NS)),
        "x/sparse": RegularFile(
            plain, SparseContent(10_000_000, (Run(5_000_000, InlineBytes(b"middle")),))
        ),
        "x/marked": RegularFile(
            plain._replace(xattrs=((b"user.comment", b"kept"),)), InlineBytes(b"x")
        ),
    }
    for path, entry in entries.items():
        builder.put(guest_path(path), entry)
    script += """
cd /x; chown 70000:80000 file; touch marked; cp --preserve=all marked marked2; touch sparse
truncate -s 100M big; printf end | dd of=big bs=1 seek=50M conv=notrunc 2>/dev/null
head -c 3000000 /dev/zero > zeros; head -c 100000 /dev/zero > small; seq 1 400000 > long
for n in 1 2 3 4 5 6 7 8; do seq $n 9000 >> one; seq $n 9000 >> other; done
mknod c c 1 3; mknod b b 259 70000; ln -s "$(seq -s / 1 400)" far
mkdir many; cd many; for n in $(seq 1 600); do : > a-rather-long-name-$n; done; chmod 1777 .
touch -d @1234567890.987654321 /etc; setsid sleep 1000 & exit 0
"""
    return builder.build(), script


def test_the_layer_is_that_of_the_namespaces(vm: VmSandbox, tmp_path: Path) -> None:
    """Contents, holes, modes, owners, attributes, links, devices, deletions, times."""
    tree, script = every_change()
    namespaces = make_sandbox(tmp_path)
    if os.geteuid() != 0:  # whose namespaces have no devices and no more than 65,536 ids
        script = script.replace("mknod", ": mknod").replace("70000:80000", "7000:8000")
    work = job(script, files=SURROUNDED)
    theirs, ours = namespaces.run(work, tree), vm.run(work, tree)
    made: tuple[set[bytes], set[bytes]] = set(), set()
    assert summary(ours, vm.blobs) == summary(theirs, namespaces.blobs)
    # Contents lie in another blob; everything else of an entry must be the same.
    assert _shapes(members(ours, made[0])) == _shapes(members(theirs, made[1]))
    assert made[0] == made[1]
    assert list(vm.folder.iterdir()) == []


def _shapes(found: dict[GuestPath, Member]) -> dict[bytes, object]:
    shapes: dict[bytes, object] = {}
    for path, (_, entry) in found.items():
        shapes[path] = entry
        if isinstance(entry, RegularFile):
            content = entry.content
            pieces = content.runs if isinstance(content, SparseContent) else ()
            where = [(run.offset, run.data.size_bytes) for run in pieces]
            shapes[path] = (entry.metadata, content.size_bytes, where)
    return shapes


def test_the_view_is_that_of_the_namespaces(vm: VmSandbox, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("an ordinary user's namespaces refuse devices that a machine's root may make")
    tree = with_files(host_programs_tree(), {"etc/covered": b"the tree's own\n"})
    namespaces = make_sandbox(tmp_path)
    work = job(VIEW, "echo /root/*; cat /proc/net/dev", files=SURROUNDED, hostname="guest-7")
    theirs, ours = namespaces.run(work, tree), vm.run(work, tree)
    lines = [line for label, line in vm.printed if label == "script 1"]
    assert lines == [line for label, line in namespaces.printed if label == "script 1"]
    assert "guest-7" in lines
    devices = [line.partition(":")[0].strip() for line in vm.lines if line.endswith("0")]
    assert [name for name in devices if name.startswith(("lo", "eth"))] == ["lo"]
    assert summary(ours, vm.blobs).keys() == summary(theirs, namespaces.blobs).keys()


def test_the_network_is_there_when_asked(vm: VmSandbox) -> None:
    """From inside, this machine's loopback is the gateway."""
    with serve({"/hello": b"from outside\n"}) as server:
        port = server.url.rpartition(":")[2].strip("/")
        fetch = (
            f"exec 3<>/dev/tcp/10.0.2.2/{port}; printf 'GET /hello HTTP/1.0\\r\\n\\r\\n' >&3; "
            "cat <&3; cat /etc/resolv.conf"
        )
        command = GuestCommand(argv=("bash", "-c", fetch), label="fetch", env=ENVIRONMENT)
        layer = vm.run(SandboxJob(commands=(command,), network=True), host_programs_tree())
    assert "from outside" in vm.lines
    assert vm.lines[-1] == "nameserver 10.0.2.3"
    assert layer.members == ()


HEADER = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + b"\x02\0" + b"\xf7\x7f" + bytes(44)


def command(*argv: str, cwd: str = "/") -> SandboxJob:
    only = GuestCommand(argv=argv, label="it", env=ENVIRONMENT, cwd=cwd)
    return SandboxJob(commands=(only,))


FAILURES = {
    "a status": (
        job("echo fine", "setsid sleep 1000 & echo broken >&2; exit 7", "echo never"),
        StepFailed,
        "script 2 failed with status 7:\nbroken",
    ),
    "a signal": (job("kill -SEGV $$"), StepFailed, "status 139"),
    "no such program": (
        command("no-such-program"),
        StepFailed,
        "it cannot be started: no-such-program: no such file",
    ),
    "no such folder": (command("id", cwd="/nowhere"), StepFailed, "it cannot be started: id"),
    "another machine's program": (command("alien"), HostError, "another architecture"),
    "it takes too long": (
        job("echo begun; sleep 1000", timeout_s=2),
        StepFailed,
        "script 1 did not finish within 2 s",
    ),
    "a full disk": (
        job("dd if=/dev/urandom of=/root/x bs=1048576"),
        StepFailed,
        "No space left on device",
    ),
}


@pytest.mark.parametrize(("work", "kind", "text"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_told_as_ever(
    tmp_path: Path, work: SandboxJob, kind: type[BootsmithError], text: str
) -> None:
    vm = VmSandbox(tmp_path, room_bytes=24 << 20)
    builder = TreeBuilder(host_programs_tree())
    builder.put(guest_path("usr/bin/alien"), RegularFile(Metadata(0o755), InlineBytes(HEADER)))
    with pytest.raises(kind) as caught:
        vm.run(work, builder.build())
    assert text in str(caught.value)
    assert list(vm.folder.iterdir()) == []


def test_everything_may_be_removed(vm: VmSandbox) -> None:
    """The next command finds nothing to run, and the one before it has done no other harm."""
    vm_layer = vm.run(
        job("(sleep 1000 &); echo kept > /kept; rm -rf /usr /bin /lib* /etc /root 2>/dev/null; :"),
        host_programs_tree(),
    )
    found = summary(vm_layer, vm.blobs)
    assert {".wh.usr", ".wh.bin", ".wh.lib", ".wh.etc", ".wh.root", "kept"} <= found.keys()


def test_no_command_needs_no_machine(vm: VmSandbox) -> None:
    executor = replace(vm.executor, kernel_package=_must_not_be_asked)
    done = executor.run(
        host_programs_tree(),
        SandboxJob(commands=()),
        blobs=vm.blobs,
        on_output=lambda *_: None,
    )
    assert done.layer.members == ()


def _must_not_be_asked() -> FileTree:
    raise AssertionError("the kernel was asked for")


def test_a_machine_that_does_not_come_up_names_its_console(vm: VmSandbox) -> None:
    """Its tree is no file system: what the kernel said about it is part of the error."""
    package = kernel_package().tree
    path = next(path for path in package if path.startswith(b"boot/vmlinuz-"))
    builder = TreeBuilder(package)
    builder.put(path, RegularFile(Metadata(0o644), InlineBytes(b"no kernel" * 1000)))
    broken = builder.build()
    executor = replace(vm.executor, kernel_package=lambda: broken)
    with pytest.raises((VMError, ImageError)) as caught:
        executor.run(host_programs_tree(), job("true"), blobs=vm.blobs, on_output=lambda *_: None)
    assert "console" in str(caught.value)
    assert list(vm.folder.iterdir()) == []


_CODE = """
import sys
from pathlib import Path
from tests.sandbox.conftest import job
from tests.support.host_programs import host_programs_tree
from tests.support.vm_sandbox import VmSandbox

vm = VmSandbox(Path(sys.argv[1]))
vm.executor.run(
    host_programs_tree(),
    job("echo begun; sleep 1000"),
    blobs=vm.blobs,
    on_output=lambda label, line: print(line.decode(), flush=True),
)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_whoever_ends_bootsmith_nothing_stays(tmp_path: Path, number: signal.Signals) -> None:
    path = os.pathsep.join((str(CHECKOUT), *filter(None, sys.path)))
    process = subprocess.Popen(
        [sys.executable, "-c", _CODE, tmp_path],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline() != b"begun\n":
            pytest.fail(process.communicate()[1].decode())
        assert _machines(tmp_path)
        process.send_signal(number)
        process.wait(60)
    finally:
        process.kill()
        process.communicate()
    for _ in range(200):
        if not _machines(tmp_path) and not list((tmp_path / "work").iterdir()):
            return
        time.sleep(0.05)
    pytest.fail(f"left: {list((tmp_path / 'work').iterdir())}, or a machine")


def _machines(folder: Path) -> list[str]:
    return [line for line in command_lines() if "qemu" in line and str(folder) in line]
