"""Files a second time: holes stay, zeros become holes, and what is not a file is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootsmith.errors import HostError
from bootsmith.host.cloning import (
    clone_file,
    is_read_only,
    link_file,
    make_read_only,
    write_sparse,
)
from bootsmith.host.disk_use import disk_use, file_use
from bootsmith.host.files import FileSink

BLOCK = 4096


def test_a_clone_is_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    clone_file(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b").write_bytes(b"two")
    assert (tmp_path / "a").read_bytes() == b"one"


@pytest.mark.parametrize("filled", [True, False])
def test_a_clone_has_holes(tmp_path: Path, filled: bool) -> None:
    data = b"x" * 5000 + bytes(1 << 20) + b"y" * 10 + bytes(3 << 20)
    with (tmp_path / "a").open("wb") as file:
        if filled:
            file.write(data)
        else:
            file.write(data[:5000])
            file.seek(5000 + (1 << 20))
            file.write(b"y" * 10)
            file.truncate(len(data))
    clone_file(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == data
    use = file_use(tmp_path / "b")
    assert use.apparent_bytes == len(data)
    assert use.allocated_bytes < 1 << 16


@pytest.mark.parametrize("data", [b"", b"\0", bytes(BLOCK), bytes(BLOCK - 1), bytes(3 * BLOCK + 7)])
def test_nothing_but_zeros(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    clone_file(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == data


_RUNS = st.tuples(st.sampled_from([b"\0", b"x"]), st.integers(0, 3 * BLOCK))


@given(pieces=st.lists(st.lists(_RUNS, max_size=4), max_size=6))
def test_what_is_written_sparsely_reads_the_same(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[list[tuple[bytes, int]]]
) -> None:
    path = tmp_path_factory.mktemp("sparse") / "file"
    chunks = [b"".join(byte * count for byte, count in piece) for piece in pieces]
    with FileSink(path) as sink:
        for chunk in chunks:
            write_sparse(sink, chunk)
    assert path.read_bytes() == b"".join(chunks)


def test_a_link_is_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    link_file(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a").samefile(tmp_path / "b")


@pytest.mark.parametrize("bring", [clone_file, link_file])
@pytest.mark.parametrize("kind", ["link", "folder", "fifo", "nothing"])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, kind: str, bring: object) -> None:
    source = tmp_path / "source"
    match kind:
        case "link":
            (tmp_path / "elsewhere").write_bytes(b"secret")
            source.symlink_to("elsewhere")
        case "folder":
            source.mkdir()
        case "fifo":
            os.mkfifo(source)
    assert callable(bring)
    with pytest.raises(HostError, match="no regular file"):
        bring(source, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_read_only(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert not is_read_only(tmp_path / "a")
    make_read_only(tmp_path / "a")
    assert is_read_only(tmp_path / "a")
    (tmp_path / "b").symlink_to("a")
    assert not is_read_only(tmp_path / "b")


def test_shared_files_count_once_and_are_nobodys_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "shared").write_bytes(b"x" * BLOCK)
    (tmp_path / "two" / "shared").hardlink_to(tmp_path / "one" / "shared")
    (tmp_path / "two" / "own").write_bytes(b"y" * BLOCK)
    both = disk_use([tmp_path / "one", tmp_path / "two"])
    assert both.apparent_bytes == both.allocated_bytes == both.own_bytes == 2 * BLOCK
    assert disk_use([tmp_path / "one"]).own_bytes == 0
    assert disk_use([tmp_path / "two"]).own_bytes == BLOCK
