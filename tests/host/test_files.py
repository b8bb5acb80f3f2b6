"""Sinks keep holes and lose no byte."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bootsmith.errors import ArchiveError, HostError
from bootsmith.host.files import FileSink, FileSource, copy_sparse, sha256_of_file, user_path
from bootsmith.model.digest import Digest
from bootsmith.model.streams import BytesSource

MIB = 1 << 20


def test_writes_holes_and_copies_land_where_they_belong(tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    blob.write_bytes(os.urandom(3 * MIB))
    data = blob.read_bytes()
    with FileSource(blob) as source, FileSink(tmp_path / "out") as sink:
        sink.write(b"head")
        sink.skip(5 * MIB)
        sink.copy_from(source, 100, 2 * MIB)  # in the kernel
        sink.copy_from(source, 7, 10)  # through the buffer
        sink.copy_from(BytesSource(data), MIB, MIB)  # not a file
        sink.write(data[:MIB])
        sink.skip(MIB)
        assert sink.position == 4 + 5 * MIB + 2 * MIB + 10 + MIB + MIB + MIB
    expected = (
        b"head" + bytes(5 * MIB) + data[100 : 100 + 2 * MIB] + data[7:17]
        + data[MIB : 2 * MIB] + data[:MIB] + bytes(MIB)
    )  # fmt: skip
    assert (tmp_path / "out").read_bytes() == expected
    assert (tmp_path / "out").stat().st_blocks * 512 < 6 * MIB


def test_a_source_that_is_too_short_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="missing"), FileSink(tmp_path / "out") as sink:
        sink.copy_from(BytesSource(b"abc"), 0, 4)


def test_a_sparse_copy_stays_sparse(tmp_path: Path) -> None:
    with FileSink(tmp_path / "a") as sink:
        sink.skip(16 * MIB)
        sink.write(b"in the middle")
        sink.skip(16 * MIB)
    copy_sparse(tmp_path / "a", tmp_path / "b")
    assert sha256_of_file(tmp_path / "a") == sha256_of_file(tmp_path / "b")
    assert (tmp_path / "b").stat().st_blocks * 512 < MIB


def test_the_digest_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * (MIB + 1))
    assert sha256_of_file(tmp_path / "a") == Digest.of(b"x" * (MIB + 1))


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="No such file") as caught:
        FileSource(tmp_path / "nothing")
    assert caught.value.hint == "check the path"


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(HostError), FileSink(tmp_path / "full") as sink:
        sink.write(b"x")


def test_a_sink_does_not_follow_a_planted_symlink(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "out").symlink_to(victim)
    with pytest.raises(HostError):
        FileSink(tmp_path / "out")
    assert victim.read_text() == "precious"


def test_a_relative_path_in_a_folder_that_was_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(HostError, match="the current folder no longer exists"):
        user_path("image")
    assert user_path(tmp_path / "image") == tmp_path / "image"
    assert user_path("image", base=tmp_path) == tmp_path / "image"
