"""``sandboxfs`` on this machine's own FUSE, with a plain folder behind it.

Everything on the share is done by other processes: one that waits for a file system whose
server is a thread of itself would wait for ever.
"""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cbor2
import pytest

from tests.support.agent_client import AgentClient
from tests.support.judges import unavailable
from tests.support.share_host import ShareHost

pytestmark = pytest.mark.root

Sh = Callable[..., str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A mounted share: ``root`` is the host's folder, ``target`` where it shows."""

    root: Path
    target: Path
    host: ShareHost | None
    client: AgentClient
    process: subprocess.Popen[bytes]

    def sh(self, script: str, *, status: int = 0) -> str:
        """What a script prints that runs in the share."""
        done = subprocess.run(
            ("sh", "-euc", script),
            cwd=self.target,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, done.stderr
        return done.stdout


@pytest.fixture
def mount(agent_program: Path, tmp_path: Path) -> Iterator[Callable[..., Share]]:
    if os.geteuid() != 0:
        unavailable("mounting needs root")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        unavailable("/dev/fuse cannot be opened")
    mounted: list[Share] = []

    def start(*, serve: bool = True, takes_attributes: bool = True) -> Share:
        root, target = tmp_path / "root", tmp_path / "target"
        root.mkdir()
        target.mkdir()
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                ("sandboxfs", "--mount", str(target), "--fd", str(theirs.fileno())),
                executable=agent_program,
                pass_fds=(theirs.fileno(),),
            )
        client = AgentClient(ours)
        host = ShareHost(root, client, takes_attributes=takes_attributes) if serve else None
        deadline = time.monotonic() + 10
        while f" {target} fuse.sandboxfs " not in Path("/proc/mounts").read_text():
            assert time.monotonic() < deadline
            assert process.poll() is None, "sandboxfs ended; is this a container without mounts?"
            time.sleep(0.01)
        share = Share(root=root, target=target, host=host, client=client, process=process)
        mounted.append(share)
        return share

    yield start
    for share in mounted:
        subprocess.run(("umount", "-l", str(share.target)), check=False)
        assert share.process.wait(10) == 0
        if share.host is not None:
            share.host.join()
        share.client.close()


@pytest.fixture
def share(mount: Callable[..., Share]) -> Share:
    return mount()


def test_it_is_mounted_as_asked(share: Share) -> None:
    (line,) = (
        line for line in Path("/proc/mounts").read_text().splitlines() if str(share.target) in line
    )
    source, _, kind, options, *_ = line.split()
    assert (source, kind) == ("sandboxfs", "fuse.sandboxfs")
    assert {"nosuid", "nodev", "user_id=0", "group_id=0", "default_permissions"} <= set(
        options.split(",")
    )


def test_files_are_read_whole(share: Share) -> None:
    content = os.urandom(3_000_001)
    (share.root / "file").write_bytes(content)
    assert share.sh("sha256sum <file").split()[0] == hashlib.sha256(content).hexdigest()
    assert share.sh("dd if=file bs=1000 skip=2999 status=none | sha256sum").split()[0] == (
        hashlib.sha256(content[2_999_000:]).hexdigest()
    )


def test_files_are_written_whole(share: Share) -> None:
    share.sh("head -c 5000000 /dev/zero | tr '\\0' x >file; echo end >>file; printf abc >new")
    assert (share.root / "file").read_bytes() == b"x" * 5_000_000 + b"end\n"
    assert (share.root / "new").read_bytes() == b"abc"
    share.sh("echo short >file; truncate -s 3 new")
    assert (share.root / "file").read_bytes() == b"short\n"
    share.sh("truncate -s 2 new; truncate -s 5 new")
    assert (share.root / "new").read_bytes() == b"ab\0\0\0"


def test_the_tree_can_be_changed(share: Share) -> None:
    share.sh("mkdir -p a/b; touch a/b/f; ln -s b/f a/link; ln a/b/f a/hard; mv a/b/f a/moved")
    assert sorted(path.name for path in share.root.rglob("*")) == [
        "a",
        "b",
        "hard",
        "link",
        "moved",
    ]
    assert share.sh("readlink a/link").strip() == "b/f"
    assert share.sh("stat -c %h a/hard").strip() == "2"
    share.sh("rm -r a")
    assert list(share.root.iterdir()) == []


def test_many_entries_are_all_listed(share: Share) -> None:
    for number in range(3000):
        (share.root / f"{'entry-' * 20}{number}").touch()
    (share.root / "folder").mkdir()
    (share.root / "link").symlink_to("nowhere")
    listed = share.sh("ls -f").splitlines()
    assert len(listed) == len(set(listed)) == 3000 + 2 + 2
    assert {".", "..", "folder", "link"} <= set(listed)
    assert share.sh("find . -type l; find . -mindepth 1 -type d").split() == ["./link", "./folder"]


def test_attributes_are_the_hosts(share: Share) -> None:
    (share.root / "file").write_bytes(b"x" * 1025)
    (share.root / "file").chmod(0o640)
    os.chown(share.root / "file", 1234, 5678)
    os.utime(share.root / "file", ns=(-1_500_000_000, 1_600_000_000_250_000_000))
    assert share.sh("stat -c '%a %u %g %s %b %h' file").strip() == "640 1234 5678 1025 3 1"
    assert share.sh("stat -c '%.3X %.3Y' file").strip() == "-1.500 1600000000.250"


def test_attributes_reach_the_host(share: Share) -> None:
    share.sh("touch file; chown 12:34 file; chmod 4751 file; touch -d @1500000000.5 file")
    status = (share.root / "file").stat()
    assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o4751, 12, 34)
    assert status.st_mtime_ns == 1_500_000_000_500_000_000


def test_a_host_that_knows_no_attributes(mount: Callable[..., Share]) -> None:
    share = mount(takes_attributes=False)
    share.sh("touch file; chmod 700 file; cp -p file copy; touch -d @1 file")
    assert share.host is not None
    assert share.host.asked["setattr"] == 1
    assert (share.root / "file").stat().st_mode & 0o777 == 0o644


def test_space_and_ranges(share: Share) -> None:
    share.sh("fallocate -l 100000 file; df . >/dev/null; test $(stat -f -c %s .) -gt 0")
    assert (share.root / "file").stat().st_size == 100_000
    (share.root / "big").write_bytes(os.urandom(200_000))
    share.sh("cp --reflink=never big copy; cmp big copy")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("cat nothing", "No such file or directory"),
        ("mkdir folder", "File exists"),
        ("rmdir folder", "Directory not empty"),
        ("mkfifo pipe", "Operation not supported"),
        ("mknod null c 1 3", "Operation not supported"),
        ("setfattr -n user.a -v b folder", "Operation not supported"),
        ("fallocate -p -l 10 folder/file", "supported"),
        ("mv --exchange folder other", ""),
    ],
)
def test_failures_reach_the_program(share: Share, script: str, message: str) -> None:
    (share.root / "folder").mkdir()
    (share.root / "folder" / "file").touch()
    tool, *_ = script.split()
    if subprocess.run(("which", tool), capture_output=True, check=False).returncode:
        pytest.skip(f"{tool} is not installed")
    said = share.sh(f"{script} 2>&1 || echo FAILED")
    assert "FAILED" in said
    assert message in said


def test_names_that_are_not_text_are_refused(share: Share) -> None:
    said = share.sh("""touch "$(printf 'a\\377')" 2>&1 || echo FAILED""")
    assert "FAILED" in said
    assert list(share.root.iterdir()) == []


def test_several_programs_at_once(share: Share) -> None:
    share.sh(
        "for n in 1 2 3 4 5 6 7 8; do "
        "(head -c 300000 /dev/zero | tr '\\0' $n >$n; cat $n >$n.copy) & "
        "done; wait; for n in 1 2 3 4 5 6 7 8; do cmp $n $n.copy; done"
    )
    assert (share.root / "8").read_bytes() == b"8" * 300_000


def test_a_host_that_leaves(share: Share) -> None:
    (share.root / "file").write_bytes(b"x")
    share.sh("cat file >/dev/null")
    share.client.connection.shutdown(socket.SHUT_RDWR)
    for command in (("cat", str(share.target / "file")), ("ls", str(share.target))):
        done = subprocess.run(command, capture_output=True, timeout=20, check=False)
        assert b"Input/output error" in done.stderr


NONSENSE: dict[str, bytes | dict[str, object]] = {
    "no frame": b"\x00\x00\x00\x01\xff",
    "another operation": {"op": "getattr", "err": 0, "res": {}},
    "no errno": {"op": "lookup", "res": {}},
    "an errno that is too large": {"op": "lookup", "err": 5000},
    "no entry": {"op": "lookup", "err": 0, "res": {}},
    "no result": {"op": "lookup", "err": 0},
    "an entry of the wrong type": {"op": "lookup", "err": 0, "res": {"entry": 7}},
    "inode 0": {
        "op": "lookup",
        "err": 0,
        "res": {"entry": {"ino": 0, "attr": {}, "attr_ttl_ms": 0, "entry_ttl_ms": 0}},
    },
}


ROOT_ATTRIBUTES = {"ino": 1, "mode": 0o40755, "nlink": 2, "uid": 0, "gid": 0, "size": 0} | {
    "atime_ms": 0,
    "mtime_ms": 0,
    "ctime_ms": 0,
}


@pytest.mark.parametrize("name", NONSENSE)
def test_a_host_that_answers_nonsense(mount: Callable[..., Share], name: str) -> None:
    share = mount(serve=False)
    running = subprocess.Popen(
        ("cat", str(share.target / "file")), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    while (asked := share.client.receive()).body["op"] != "lookup":
        assert asked.body["op"] == "getattr"  # Of the root, to see who may enter it.
        found = {"attr": ROOT_ATTRIBUTES, "attr_ttl_ms": 1000}
        share.client.send("fs_response", asked.id, op="getattr", err=0, res=found)
    answer = NONSENSE[name]
    if isinstance(answer, bytes):
        share.client.connection.sendall(answer)
    else:
        late = {"v": 1, "t": "fs_response", "id": asked.id - 1, "p": {"op": "x", "err": 0}}
        share.client.send_frame(cbor2.dumps(late))  # Of a request given up before: passed over.
        share.client.send("fs_response", asked.id, **answer)
    said, _ = running.communicate(timeout=20)
    assert b"Input/output error" in said
    assert share.process.poll() is None
