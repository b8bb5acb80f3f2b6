from __future__ import annotations

import errno
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bootsmith.errors import HostError, VMError
from bootsmith.host.shared_folder import ShareRefused
from bootsmith.vm.machine import Share
from bootsmith.vm.shares.nodes import ShareNodes
from bootsmith.vm.shares.operations import MAX_COPY_BYTES, MAX_DATA_BYTES, ShareOperations
from bootsmith.vm.shares.place import share_path
from bootsmith.vm.shares.tree import ShareTree

READ, WRITE, BOTH, CREATE, EXCLUSIVE, TRUNCATE, APPEND = 0, 1, 2, 0o100, 0o200, 0o1000, 0o2000


class Guest:
    """A guest's view: paths are looked up name by name, as its kernel does."""

    def __init__(self, operations: ShareOperations) -> None:
        self._operations = operations

    def __call__(self, operation: str, **request: Any) -> dict[str, Any]:
        return dict(self._operations.run(operation, request))

    def refused(self, operation: str, **request: Any) -> int:
        with pytest.raises(ShareRefused) as caught:
            self._operations.run(operation, request)
        return caught.value.number

    def number(self, path: str) -> int:
        number = 1
        for name in path.strip("/").split("/"):
            number = self("lookup", parent_ino=number, name=name)["entry"]["ino"] if name else 1
        return number

    def opened(self, path: str, flags: int = READ) -> int:
        return int(self("open", ino=self.number(path), flags=flags)["fh"])

    def listing(self, path: str) -> list[str]:
        names: list[str] = []
        offset = 0
        while True:
            answer = self("readdir", ino=self.number(path), offset=offset, max_entries=3)
            names += [entry["name"] for entry in answer["entries"]]
            offset = answer["next_offset"]
            if offset == 0:
                return names


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    (folder / "sub").mkdir(parents=True)
    (folder / "file").write_bytes(b"content")
    (folder / "link").symlink_to("file")
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "fixed").write_bytes(b"fixed")
    return folder


@pytest.fixture
def guest(work: Path, data: Path) -> Iterator[Guest]:
    tree = ShareTree(
        [
            Share(host_folder=work, guest_folder="/work"),
            Share(host_folder=data, guest_folder="/srv/deep/data", readonly=True),
            Share(host_folder=data, guest_folder="/work/inner/data", readonly=True),
        ]
    )
    operations = ShareOperations(tree)
    yield Guest(operations)
    operations.close()
    tree.close()


def test_the_tree_above_the_folders(guest: Guest) -> None:
    assert guest.listing("/") == ["srv", "work"]
    assert guest.listing("/srv") == ["deep"]
    assert guest.listing("/srv/deep") == ["data"]
    assert guest.listing("/srv/deep/data") == ["fixed"]
    assert guest.listing("/work") == ["file", "inner", "link", "sub"]
    assert guest.listing("/work/inner") == ["data"]
    attr = guest("getattr", ino=guest.number("/srv"))["attr"]
    assert attr["mode"] == 0o40755
    assert guest.refused("lookup", parent_ino=1, name="else") == errno.ENOENT


def test_what_is_above_cannot_be_changed(guest: Guest) -> None:
    srv, work = guest.number("/srv"), guest.number("/work")
    assert guest.refused("mkdir", parent_ino=srv, name="new") == errno.EROFS
    assert guest.refused("create", parent_ino=1, name="new", flags=WRITE) == errno.EROFS
    assert guest.refused("rmdir", parent_ino=srv, name="deep") == errno.EROFS
    assert guest.refused("rmdir", parent_ino=work, name="inner") == errno.EBUSY
    assert guest.refused("open", ino=srv, flags=READ) == errno.EISDIR
    assert guest.refused("truncate", ino=srv, size=0) == errno.EISDIR
    assert guest.refused("readlink", ino=srv) == errno.EINVAL
    assert guest.refused("access", ino=srv, mask=2) == errno.EROFS
    assert guest("statfs", ino=1)["statfs"]["namelen"] == 255


def test_attributes(guest: Guest, work: Path) -> None:
    attr = guest("lookup", parent_ino=guest.number("/work"), name="file")["entry"]["attr"]
    facts = (work / "file").stat()
    assert attr["mode"] == facts.st_mode
    assert (attr["size"], attr["nlink"]) == (7, 1)
    assert (attr["uid"], attr["gid"]) == (0, 0), "our own files are root's in the guest"
    assert attr["mtime_ms"] == facts.st_mtime_ns // 1_000_000
    assert guest("readlink", ino=guest.number("/work/link"))["target"] == "file"


def test_reading(guest: Guest) -> None:
    handle = guest.opened("/work/file")
    assert guest("read", fh=handle, offset=3, size=100)["data"] == b"tent"
    assert guest("read", fh=handle, offset=100, size=1)["data"] == b""
    assert guest.refused("read", fh=handle, offset=0, size=MAX_DATA_BYTES + 1) == errno.EINVAL
    assert guest.refused("write", fh=handle, offset=0, data=b"x") == errno.EBADF
    assert guest("release", fh=handle) == {}
    assert guest.refused("read", fh=handle, offset=0, size=1) == errno.EBADF
    assert guest.refused("release", fh=handle) == errno.EBADF


def test_writing(guest: Guest, work: Path) -> None:
    made = guest(
        "create", parent_ino=guest.number("/work"), name="new", mode=0o640, flags=BOTH | CREATE
    )
    assert made["entry"]["ino"] == guest.number("/work/new")
    assert (work / "new").stat().st_mode & 0o777 == 0o640 & ~_umask()
    assert guest("write", fh=made["fh"], offset=2, data=b"abc")["size"] == 3
    assert (work / "new").read_bytes() == b"\0\0abc"
    guest("fallocate", fh=made["fh"], offset=8, length=8, mode=0)
    guest("fallocate", fh=made["fh"], offset=0, length=1, mode=0)
    assert (work / "new").stat().st_size == 16
    guest("truncate", ino=made["entry"]["ino"], size=4)
    assert (work / "new").read_bytes() == b"\0\0ab"
    appending = guest.opened("/work/new", WRITE | APPEND)
    guest("write", fh=appending, offset=0, data=b"!")
    assert (work / "new").read_bytes() == b"\0\0ab!"
    guest.opened("/work/new", WRITE | TRUNCATE)
    assert (work / "new").read_bytes() == b""
    flags = WRITE | CREATE | EXCLUSIVE
    work_number = guest.number("/work")
    assert guest.refused("create", parent_ino=work_number, name="new", flags=flags) == errno.EEXIST


def test_copying_within(guest: Guest, work: Path) -> None:
    (work / "large").write_bytes(bytes(range(256)) * 1000)
    source, target = guest.opened("/work/large"), guest.opened("/work/file", BOTH)
    wanted = {"fh_in": source, "off_in": 256, "fh_out": target, "off_out": 7, "len": 10**6}
    assert guest("copy_file_range", **wanted)["size"] == 255_744
    assert (work / "file").read_bytes() == b"content" + bytes(range(256)) * 999
    onto_itself = {"fh_in": target, "off_in": 0, "fh_out": target, "off_out": 5, "len": 10}
    assert guest.refused("copy_file_range", **onto_itself) == errno.EINVAL
    assert guest.refused("copy_file_range", **wanted, flags=1) == errno.EINVAL


def test_a_number_follows_what_is_renamed(guest: Guest, work: Path) -> None:
    (work / "sub" / "deep").mkdir()
    (work / "sub" / "deep" / "leaf").write_text("leaf")
    work_number = guest.number("/work")
    leaf, sub, file = (guest.number(f"/work/{name}") for name in ("sub/deep/leaf", "sub", "file"))
    guest(
        "rename",
        old_parent_ino=work_number,
        old_name="sub",
        new_parent_ino=work_number,
        new_name="moved",
    )
    assert guest("getattr", ino=leaf)["attr"]["size"] == 4
    assert guest.number("/work/moved") == sub
    assert guest.number("/work/moved/deep/leaf") == leaf
    assert guest.refused("lookup", parent_ino=work_number, name="sub") == errno.ENOENT
    guest(
        "rename",
        old_parent_ino=guest.number("/work/moved/deep"),
        old_name="leaf",
        new_parent_ino=work_number,
        new_name="file",
    )
    assert guest.number("/work/file") == leaf
    assert guest.refused("getattr", ino=file) == errno.ENOENT, "it was replaced"


def test_between_shares_nothing_is_renamed_or_linked(guest: Guest) -> None:
    inner = guest.number("/work/inner/data")
    rename = {
        "old_parent_ino": guest.number("/work"),
        "old_name": "file",
        "new_parent_ino": inner,
        "new_name": "new",
    }
    assert guest.refused("rename", **rename) == errno.EXDEV
    link = {"old_ino": guest.number("/work/file"), "new_parent_ino": inner, "new_name": "new"}
    assert guest.refused("link", **link) == errno.EXDEV
    assert guest.refused("rename", **(rename | {"flags": 1})) == errno.EINVAL


def test_making_and_removing(guest: Guest, work: Path) -> None:
    number = guest.number("/work")
    guest("mkdir", parent_ino=number, name="made", mode=0o755)
    guest("symlink", parent_ino=number, name="arrow", target="/etc/passwd")
    linked = guest(
        "link", old_ino=guest.number("/work/file"), new_parent_ino=number, new_name="two"
    )
    assert linked["entry"]["attr"]["nlink"] == 2
    assert (work / "arrow").readlink() == Path("/etc/passwd")
    old = guest.number("/work/made")
    guest("rmdir", parent_ino=number, name="made")
    for name in ("arrow", "two"):
        guest("unlink", parent_ino=number, name=name)
    assert sorted(path.name for path in work.iterdir()) == ["file", "link", "sub"]
    guest("mkdir", parent_ino=number, name="made", mode=0o755)
    assert guest.number("/work/made") != old, "a number is never used twice"
    assert guest.refused("getattr", ino=old) == errno.ENOENT


def test_a_readonly_share(guest: Guest) -> None:
    number = guest.number("/srv/deep/data/fixed")
    assert guest.refused("open", ino=number, flags=BOTH) == errno.EROFS
    assert guest.refused("access", ino=number, mask=2) == errno.EROFS
    assert guest("access", ino=number, mask=4) == {}


def test_half_of_the_descriptors_stay_for_the_host(work: Path) -> None:
    tree = ShareTree([Share(host_folder=work, guest_folder="/work")])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        few = ShareOperations(tree)
        mean = Guest(few)
        number = mean.number("/work/file")
        handles = [mean("open", ino=number, flags=READ)["fh"] for _ in range(100)]
        assert len(set(handles)) == 100
        assert mean.refused("open", ino=number, flags=READ) == errno.ENFILE
        mean("release", fh=handles[0])
        assert mean("open", ino=number, flags=READ)["fh"] not in handles
        few.close()
        tree.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slow
def test_deep_folders_take_one_descriptor_and_end_somewhere(guest: Guest, work: Path) -> None:
    before = open_descriptors()
    parent = guest.number("/work")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before + 8, hard))
    try:
        for _ in range(513):
            parent = guest("mkdir", parent_ino=parent, name="d")["entry"]["ino"]
        assert guest.refused("mkdir", parent_ino=parent, name="d") == errno.ENAMETOOLONG
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        # Too deep for what removes the tests' folders.
        subprocess.run(["rm", "-r", work], check=True)
    assert open_descriptors() == before


def test_making_and_removing_for_ever_leaves_nothing_in_memory(guest: Guest) -> None:
    work = guest.number("/work")
    nodes = ShareNodes()
    numbers = {nodes.number(1, "x")}
    for turn in range(100):
        nodes.remove(1, "x")
        nodes.move(1, f"a{turn}", 1, "y")
        numbers |= {nodes.number(1, "x"), nodes.number(1, f"a{turn}")}
        nodes.remove(1, f"a{turn}")
    assert len(numbers) == 201, "no number has two meanings"
    assert nodes.count < 5
    made = guest("mkdir", parent_ino=work, name="gone")["entry"]["ino"]
    guest("rmdir", parent_ino=work, name="gone")
    assert guest.refused("getattr", ino=made) == errno.ENOENT
    assert guest("mkdir", parent_ino=work, name="gone")["entry"]["ino"] != made


def test_a_folder_that_seems_to_go_below_itself_has_no_path() -> None:
    """What two machines that share a folder can bring about by renaming at the same moment."""
    nodes = ShareNodes()
    outer = nodes.number(1, "outer")
    inner = nodes.number(outer, "inner")
    nodes.move(1, "outer", inner, "again")
    assert nodes.path(outer) is None
    assert nodes.path(inner) is None


def test_a_link_whose_target_is_no_text(guest: Guest, work: Path) -> None:
    (work / "odd").symlink_to(os.fsdecode(b"\xff"))
    number = guest.number("/work/odd")
    assert guest.refused("readlink", ino=number) == errno.EIO


def test_a_huge_copy_is_made_in_parts(guest: Guest, work: Path) -> None:
    with (work / "sparse").open("wb") as file:
        file.truncate(4 << 30)
    source = guest.opened("/work/sparse")
    target = guest("create", parent_ino=guest.number("/work"), name="copy", flags=WRITE)["fh"]
    copied = guest("copy_file_range", fh_in=source, off_in=0, fh_out=target, off_out=0, len=3 << 30)
    assert copied["size"] == MAX_COPY_BYTES


BAD_REQUESTS: dict[str, tuple[str, Any]] = {
    "unknown operation": ("mknod", {"parent_ino": 1, "name": "x"}),
    "no fields": ("getattr", None),
    "fields are a list": ("getattr", [1]),
    "no number": ("getattr", {}),
    "number is text": ("getattr", {"ino": "1"}),
    "number is true": ("getattr", {"ino": True}),
    "number is negative": ("getattr", {"ino": -1}),
    "unknown number": ("getattr", {"ino": 999}),
    "name climbs": ("lookup", {"parent_ino": 1, "name": ".."}),
    "name is the folder": ("lookup", {"parent_ino": 1, "name": "."}),
    "name is empty": ("lookup", {"parent_ino": 1, "name": ""}),
    "name is a path": ("lookup", {"parent_ino": 1, "name": "work/file"}),
    "name holds NUL": ("lookup", {"parent_ino": 1, "name": "a\0b"}),
    "name is bytes": ("lookup", {"parent_ino": 1, "name": b"work"}),
    "access mode 3": ("open", {"ino": 1, "flags": 3}),
    "mask of 8": ("access", {"ino": 1, "mask": 8}),
    "size beyond 63 bits": ("truncate", {"ino": 1, "size": 1 << 63}),
    "unknown handle": ("read", {"fh": 7, "offset": 0, "size": 1}),
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_bad_requests_get_an_error_number(guest: Guest, name: str) -> None:
    operation, request = BAD_REQUESTS[name]
    with pytest.raises(ShareRefused) as caught:
        guest._operations.run(operation, request)
    assert caught.value.number > 0


def test_offsets_beyond_everything(guest: Guest) -> None:
    handle = guest.opened("/work/file", BOTH)
    for offset in ((1 << 63) - 1, 1 << 63, (1 << 64) - 1):
        assert guest.refused("write", fh=handle, offset=offset, data=b"x") in (
            errno.EINVAL,
            errno.EFBIG,
        )
        assert guest.refused("fallocate", fh=handle, offset=offset, length=1) == errno.EFBIG


@pytest.mark.parametrize("place", ["work", "/", "", "/a/../b", "/a b", "/a,b", '/a"b'])
def test_places_that_cannot_be(place: str) -> None:
    with pytest.raises(VMError):
        share_path(place)


@pytest.mark.parametrize(
    "place",
    ["/usr", "/bin/", "//lib64", "/etc/.", "/run", "/dev", "/dev/shm", "/proc/1", "/sys/fs"],
)
def test_no_share_hides_what_the_guest_runs_on(place: str) -> None:
    with pytest.raises(VMError, match="would hide what the guest runs on"):
        share_path(place)


def test_places() -> None:
    assert share_path("/a//b/./c/") == ("a", "b", "c")


@pytest.mark.parametrize("place", ["/usr/local/src", "/etc/mine", "/run/x", "/library", "/home"])
def test_places_beside_and_below_the_guests_own(place: str) -> None:
    assert share_path(place) == tuple(place.split("/")[1:])


def test_a_folder_that_is_not_there(tmp_path: Path, work: Path) -> None:
    with pytest.raises(HostError, match="missing"):
        ShareTree(
            [
                Share(host_folder=work, guest_folder="/a"),
                Share(host_folder=tmp_path / "missing", guest_folder="/b"),
            ]
        )


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
