"""What counts as a change, and what does not."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import time
from pathlib import Path

import pytest

from bootsmith.host.sandbox.capture import (
    Difference,
    difference,
    look,
    read_xattrs,
    wait_for_next_tick,
)


def test_a_socket_is_nothing(root: Path) -> None:
    """No archive can hold one; what it took the place of is gone all the same."""
    before = look(bytes(root))
    wait_for_next_tick()
    (root / "d" / "f").unlink()
    with socket.socket(socket.AF_UNIX) as listener, contextlib.chdir(root / "d"):
        listener.bind("f")
    with (root.parent / "content").open("wb") as content:
        found = difference(
            bytes(root), before, look(bytes(root)), ignored=(), content=content.fileno()
        )
    assert found.removed == [b"d/f"]
    assert [record.path for record in found.changed] == [b"d"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "d" / "e").mkdir(parents=True)
    (folder / "d" / "f").write_bytes(b"f")
    (folder / "d" / "e" / "g").write_bytes(b"g")
    (folder / "out").mkdir()
    (folder / "out" / "x").write_bytes(b"x")
    return folder


class Watch:
    """A directory looked at before, for the changes since."""

    def __init__(self, root: Path, *excluded: bytes) -> None:
        self.root = root
        self.excluded = excluded
        self.before = look(bytes(root), excluded=excluded)
        wait_for_next_tick()

    def changes(self, *ignored: bytes) -> Difference:
        with (self.root.parent / "content").open("wb") as content:
            return difference(
                bytes(self.root),
                self.before,
                look(bytes(self.root), excluded=self.excluded),
                ignored=ignored,
                content=content.fileno(),
            )

    def data(self) -> bytes:
        return (self.root.parent / "content").read_bytes()


def test_looking_changes_nothing(root: Path) -> None:
    watch = Watch(root)
    (root / "d" / "f").read_bytes()
    assert watch.changes() == ([], [])


def test_a_write_of_the_same_length_within_the_same_second(root: Path) -> None:
    watch = Watch(root)
    before = (root / "d" / "f").stat()
    (root / "d" / "f").write_bytes(b"F")
    os.utime(root / "d" / "f", ns=(before.st_atime_ns, before.st_mtime_ns))
    (record,) = watch.changes().changed
    assert (record.path, record.size_bytes) == (b"d/f", 1)
    assert watch.data() == b"F"


def test_excluded_places(root: Path) -> None:
    watch = Watch(root, b"out")
    (root / "out" / "y").write_bytes(b"y")
    (root / "out" / "x").unlink()
    (root / "out").chmod(0o700)
    assert watch.changes() == ([], [])


def test_ignored_paths_are_left_alone_as_long_as_they_are_the_same_file(root: Path) -> None:
    watch = Watch(root)
    (root / "d" / "f").write_bytes(b"written to")
    assert watch.changes(b"d/f") == ([], [])
    (root / "d" / "new").write_bytes(b"another")
    (root / "d" / "new").rename(root / "d" / "f")
    assert [record.path for record in watch.changes(b"d/f").changed] == [b"d", b"d/f"]


def test_an_ignored_path_that_is_gone(root: Path) -> None:
    watch = Watch(root)
    (root / "d" / "f").unlink()
    found = watch.changes(b"d/f")
    assert found.removed == []


def test_only_the_outermost_of_what_was_removed(root: Path) -> None:
    watch = Watch(root)
    (root / "d" / "e" / "g").unlink()
    (root / "d" / "e").rmdir()
    assert watch.changes().removed == [b"d/e"]


def test_below_what_is_no_directory_any_more_nothing_is_removed(root: Path) -> None:
    watch = Watch(root)
    (root / "d" / "e" / "g").unlink()
    (root / "d" / "e").rmdir()
    (root / "d" / "e").write_bytes(b"file now")
    found = watch.changes()
    assert found.removed == []
    assert [record.path for record in found.changed] == [b"d", b"d/e"]


def test_a_directory_touched_and_set_back(root: Path) -> None:
    watch = Watch(root)
    before = (root / "d").stat()
    (root / "d" / "t").write_bytes(b"")
    (root / "d" / "t").unlink()
    os.utime(root / "d", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert watch.changes() == ([], [])


def test_an_attribute_of_a_directory(root: Path) -> None:
    try:
        os.setxattr(root / "d", "user.before", b"1")
    except OSError:
        pytest.skip("this file system has no attributes")
    watch = Watch(root)
    os.setxattr(root / "d", "user.after", b"2")
    (record,) = watch.changes().changed
    assert record.xattrs == ((b"user.after", b"2"), (b"user.before", b"1"))
    assert read_xattrs(bytes(root / "d")) == record.xattrs


MIB = 1 << 20
SPARSE_CASES = {
    "small and all zeros": ([(0, bytes(MIB - 1))], MIB - 1, [(0, MIB - 1)]),
    "large and all zeros": ([(0, bytes(MIB))], MIB, []),
    "large and full": ([(0, b"x" * MIB)], MIB, [(0, MIB)]),
    "a hole in the file system": ([(4 * MIB, b"end")], 4 * MIB + 3, [(4 * MIB, 4 * MIB + 3)]),
    "zeros that were written": (
        [(0, b"a" + bytes(3 * MIB) + b"z")],
        3 * MIB + 2,
        [(0, 65536), (3 * MIB, 3 * MIB + 2)],
    ),
    "a hole at the end": ([(0, b"a")], 2 * MIB, [(0, 65536)]),
}


@pytest.mark.parametrize(("writes", "size", "runs"), SPARSE_CASES.values(), ids=SPARSE_CASES)
def test_holes_are_where_the_content_has_them(
    root: Path, writes: list[tuple[int, bytes]], size: int, runs: list[tuple[int, int]]
) -> None:
    """What is captured does not depend on the file system that the build used."""
    watch = Watch(root)
    with (root / "big").open("wb") as file:
        for offset, data in writes:
            file.seek(offset)
            file.write(data)
        file.truncate(size)
    record = next(record for record in watch.changes().changed if record.path == b"big")
    assert record.size_bytes == size
    assert [(run.offset, run.offset + run.size_bytes) for run in record.runs] == runs
    whole, data = (root / "big").read_bytes(), watch.data()
    for run in record.runs:
        assert (
            data[run.source_offset : run.source_offset + run.size_bytes]
            == whole[run.offset : run.offset + run.size_bytes]
        )


def test_a_fifo_is_not_read(root: Path) -> None:
    watch = Watch(root)
    os.mkfifo(root / "fifo")
    record = next(record for record in watch.changes().changed if record.path == b"fifo")
    assert stat.S_ISFIFO(record.mode)


def test_the_next_tick_is_soon() -> None:
    start = time.monotonic()
    wait_for_next_tick()
    assert time.monotonic() - start < 5
