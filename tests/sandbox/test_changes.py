"""What commands change comes back as a layer, exactly and with nothing else."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from bootsmith.errors import HostError
from bootsmith.model.guest_path import guest_path
from bootsmith.tree.entry import (
    Device,
    Directory,
    Entry,
    Fifo,
    HardLink,
    InlineBytes,
    Metadata,
    RegularFile,
    Run,
    SparseContent,
    Symlink,
)
from bootsmith.tree.file_tree import FileTree, TreeBuilder
from bootsmith.tree.layer import overlay
from tests.sandbox.conftest import Sandbox
from tests.support.host_programs import MTIME_NS, host_programs_tree, with_files
from tests.support.layer_summary import summary

_ROOT_DIRECTORY = "directory 755 0:0"


class Case(NamedTuple):
    script: str
    changed: dict[str, str]


FILES = {
    "data/a": b"alpha\n",
    "data/b": b"beta\n",
    "data/sub/c": b"gamma\n",
    "data/sub/d": b"delta\n",
}
DATA = {"data": _ROOT_DIRECTORY}

CASES = {
    "nothing": Case("cat data/a >/dev/null; ls -lR /data >/dev/null", {}),
    "a new file": Case("echo new > data/n", DATA | {"data/n": "file 644 0:0 b'new\\n'"}),
    "a file written again with the same bytes": Case(
        "printf 'alpha\\n' > data/a", {"data/a": "file 644 0:0 b'alpha\\n'"}
    ),
    "a file of the same length and time": Case(
        "touch -r data/a /tmp/t; printf 'ALPHA\\n' > data/a; touch -r /tmp/t data/a",
        {"data/a": "file 644 0:0 b'ALPHA\\n'"},
    ),
    "a mode": Case("chmod 4755 data/a", {"data/a": "file 4755 0:0 b'alpha\\n'"}),
    "an owner": Case("chown 12:34 data/a", {"data/a": "file 644 12:34 b'alpha\\n'"}),
    "the owner of a link": Case(
        "ln -s nowhere data/l; chown -h 5:6 data/l", DATA | {"data/l": "link 5:6 to nowhere"}
    ),
    "a tree deeper than Python would go": Case(
        f"mkdir -p data/{'x/' * 1500}",
        DATA | {f"data/{'x/' * depth}x": "directory 755 0:0" for depth in range(1500)},
    ),
    "a directory's mode": Case("chmod 2770 data/sub", {"data/sub": "directory 2770 0:0"}),
    "a removed file": Case("rm data/a", DATA | {"data/.wh.a": "file 644 0:0 b''"}),
    "a removed directory": Case("rm -r data/sub", DATA | {"data/.wh.sub": "file 644 0:0 b''"}),
    "a moved file": Case(
        "mv data/a data/z",
        DATA | {"data/.wh.a": "file 644 0:0 b''", "data/z": "file 644 0:0 b'alpha\\n'"},
    ),
    "a moved directory": Case(
        "mv data/sub data/other",
        DATA
        | {
            "data/.wh.sub": "file 644 0:0 b''",
            "data/other": _ROOT_DIRECTORY,
            "data/other/c": "file 644 0:0 b'gamma\\n'",
            "data/other/d": "file 644 0:0 b'delta\\n'",
        },
    ),
    "a file in the place of a directory": Case(
        "rm -r data/sub; echo x > data/sub", DATA | {"data/sub": "file 644 0:0 b'x\\n'"}
    ),
    "a directory in the place of a file": Case(
        "rm data/a; mkdir data/a; echo x > data/a/x",
        DATA | {"data/a": _ROOT_DIRECTORY, "data/a/x": "file 644 0:0 b'x\\n'"},
    ),
    "a link in the place of a file": Case("ln -sf b data/a", DATA | {"data/a": "link 0:0 to b"}),
    "a hard link to a file that was there": Case(
        "ln data/a data/0",
        DATA | {"data/0": "file 644 0:0 b'alpha\\n'", "data/a": "hard link to data/0"},
    ),
    "new hard links": Case(
        "echo x > data/1; ln data/1 data/2; ln data/1 data/sub/3",
        DATA
        | {
            "data/1": "file 644 0:0 b'x\\n'",
            "data/2": "hard link to data/1",
            "data/sub": _ROOT_DIRECTORY,
            "data/sub/3": "hard link to data/1",
        },
    ),
    "a fifo": Case("mkfifo data/f; chmod 600 data/f", DATA | {"data/f": "fifo 600 0:0"}),
    "names that are no text": Case(
        "printf x > \"data/$(printf '\\377 \\n.')\"",
        DATA | {"data/\\xff \n.": "file 644 0:0 b'x'"},
    ),
    "places that belong to nobody": Case(
        "for place in tmp run dev/shm; do echo x > /$place/x; done; chmod 700 /tmp /run", {}
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_change_comes_back(any_sandbox: Sandbox, case: Case) -> None:
    tree = with_files(host_programs_tree(), FILES)
    layer = any_sandbox.script(f"cd /; {case.script}", tree)
    assert summary(layer, any_sandbox.blobs) == case.changed


def test_times_come_back(any_sandbox: Sandbox) -> None:
    layer = any_sandbox.script("cd /etc; echo x > x; touch -d @1234567890.987654321 x .")
    found = dict(layer.members)
    for path in ("etc", "etc/x"):
        entry = found[guest_path(path)]
        assert not isinstance(entry, HardLink)
        assert entry.metadata.mtime_ns == 1234567890_987654321


def test_attributes_come_back(any_sandbox: Sandbox) -> None:
    """Attributes are made by hand: no small program of this machine sets them."""
    capability = bytes.fromhex(
        "0100000200040000000000000000000000000000"
    )  # cap_net_bind_service=ep
    metadata = Metadata(0o755, mtime_ns=MTIME_NS, xattrs=((b"security.capability", capability),))
    builder = TreeBuilder(host_programs_tree())
    builder.put(guest_path("etc/a"), RegularFile(metadata, InlineBytes(b"x")))
    layer = any_sandbox.script("cp --preserve=xattr /etc/a /etc/b; touch /etc/a", builder.build())
    found = dict(layer.members)
    touched = found[guest_path("etc/a")]
    assert not isinstance(touched, HardLink)
    assert touched.metadata.xattrs == metadata.xattrs


def test_attributes_that_cannot_be_on_disk_are_not_lost(any_sandbox: Sandbox) -> None:
    """As an ordinary user; root can set these, and then nothing is special about them."""
    xattrs = ((b"trusted.one", b"1"), (b"user.two", b"2"))
    metadata = Metadata(0o644, mtime_ns=MTIME_NS, xattrs=xattrs)
    builder = TreeBuilder(host_programs_tree())
    for name in ("kept", "touched", "replaced"):
        place = guest_path(f"etc/{name}")
        builder.put(place, RegularFile(metadata, InlineBytes(b"x")))
    builder.put(guest_path("etc/folder"), Directory(metadata._replace(mode=0o755)))
    layer = any_sandbox.script(
        "cd /etc; touch touched; touch folder/in; echo y > y; mv y replaced", builder.build()
    )
    found = dict(layer.members)
    assert guest_path("etc/kept") not in found
    for name, expected in (("touched", xattrs), ("folder", xattrs), ("replaced", ())):
        entry = found[guest_path(f"etc/{name}")]
        assert not isinstance(entry, HardLink)
        assert entry.metadata.xattrs == expected


def test_a_sparse_file_comes_back_with_its_holes(any_sandbox: Sandbox) -> None:
    layer = any_sandbox.script(
        "cd /root; truncate -s 5G big; printf end | dd of=big bs=1 seek=3G conv=notrunc 2>/dev/null"
    )
    found = dict(layer.members)
    big = found[guest_path("root/big")]
    assert isinstance(big, RegularFile)
    assert isinstance(big.content, SparseContent)
    assert big.content.size_bytes == 5 << 30
    (run,) = big.content.runs
    assert run.offset == 3 << 30
    assert run.data.size_bytes == 64 << 10


@pytest.mark.root
def test_devices_come_back_from_roots_sandbox(any_sandbox: Sandbox) -> None:
    if any_sandbox.kind == "subuid":
        pytest.skip("only root may make devices")
    layer = any_sandbox.script("mknod /etc/c c 1 3; chmod 640 /etc/c; mknod /etc/b b 259 70000")
    found = summary(layer, any_sandbox.blobs)
    assert found["etc/c"] == "character device 640 0:0 1:3"
    assert found["etc/b"] == "block device 644 0:0 259:70000"


def test_every_kind_of_entry_is_put_on_disk_as_it_is(any_sandbox: Sandbox) -> None:
    """The tree that commands see is the one that was given."""
    plain = Metadata(0o644, mtime_ns=MTIME_NS)
    entries: dict[str, Entry] = {
        "x": Directory(Metadata(0o2751, 3, 4, MTIME_NS)),
        "x/file": RegularFile(Metadata(0o6751, 1, 2, MTIME_NS), InlineBytes(b"content\n")),
        "x/link": Symlink(Metadata(0o777, 5, 6, MTIME_NS), b"file"),
        "x/fifo": Fifo(Metadata(0o620, 7, 8, MTIME_NS)),
        "x/hard": HardLink(guest_path("x/file")),
        "x/closed": Directory(Metadata(0o000, 65534, 65534, MTIME_NS)),
        "x/closed/in": RegularFile(plain, InlineBytes(b"in\n")),
        "x/sparse": RegularFile(
            plain, SparseContent(10_000_000, (Run(5_000_000, InlineBytes(b"middle")),))
        ),
    }
    builder = TreeBuilder(host_programs_tree())
    for path, entry in entries.items():
        builder.put(guest_path(path), entry)
    layer = any_sandbox.script(
        "cd /x; stat -c '%n %F %a %u:%g %h %s %.9Y' . file link fifo hard closed sparse; "
        "cat file closed/in; test $(stat -c %b sparse) -lt 100; "
        "dd if=sparse bs=1 skip=5000000 count=6 2>/dev/null",
        builder.build(),
    )
    time = "1700000000.123456789"
    sizes = {line.split()[0]: line for line in any_sandbox.lines}
    assert sizes["."].startswith(". directory 2751 3:4 3 ")
    assert sizes["."].endswith(time)
    assert [line for line in any_sandbox.lines if not line.startswith((".", "closed"))] == [
        f"file regular file 6751 1:2 2 8 {time}",
        f"link symbolic link 777 5:6 1 4 {time}",
        f"fifo fifo 620 7:8 1 0 {time}",
        f"hard regular file 6751 1:2 2 8 {time}",
        f"sparse regular file 644 0:0 1 10000000 {time}",
        "content",
        "in",
        "middle",
    ]
    assert layer.members == ()


def test_a_device_that_may_not_be_made_is_still_there_afterwards(any_sandbox: Sandbox) -> None:
    builder = TreeBuilder(host_programs_tree())
    node = Device(Metadata(0o600), is_block=True, major=8, minor=0)
    builder.put(guest_path("etc/sda"), node)
    builder.put(guest_path("etc/sdz"), HardLink(guest_path("etc/sda")))
    tree = builder.build()
    layer = any_sandbox.script("touch /etc/x", tree)
    after = overlay(tree, layer)
    assert after[guest_path("etc/sda")] == node
    assert after[guest_path("etc/sdz")] == HardLink(guest_path("etc/sda"))


def test_a_tree_that_lacks_everything_lacks_it_afterwards_too(any_sandbox: Sandbox) -> None:
    """No /proc, /dev or /tmp is left in an image that has none."""
    tree = host_programs_tree()
    assert not {b"dev", b"proc", b"run", b"sys", b"tmp"} & set(tree)
    layer = any_sandbox.script("echo ${HOME} >/dev/null; ls /tmp /run", tree)
    assert layer.members == ()


def test_a_tree_that_has_no_path_is_told_and_gone(any_sandbox: Sandbox) -> None:
    """Longer than the kernel takes one (PATH_MAX); a shell gets there step by step."""
    name = "n" * 250
    deep = f"mkdir data; cd data; for i in {'. ' * 20}; do mkdir {name}; cd -P {name}; done"
    with pytest.raises(HostError, match="changed cannot be read: File name too long") as told:
        any_sandbox.script(deep)
    assert len(str(told.value)) < 400
    assert list(any_sandbox.folder.iterdir()) == []


def test_the_next_tree_is_the_old_one_with_the_layer(any_sandbox: Sandbox) -> None:
    tree = with_files(host_programs_tree(), FILES)
    after = overlay(tree, any_sandbox.script("cd /data; rm -r sub; mv a c; ln c d", tree))
    assert isinstance(after, FileTree)
    assert set(after) - set(tree) == {b"data/c", b"data/d"}
    assert set(tree) - set(after) == {b"data/a", b"data/sub", b"data/sub/c", b"data/sub/d"}
    again = any_sandbox.script("cat /data/c /data/d", after)
    assert any_sandbox.lines == ["alpha", "alpha"]
    assert again.members == ()
