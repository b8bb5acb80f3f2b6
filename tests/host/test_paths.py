"""Places asked about answer, or say what is wrong in our own words."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootsmith.errors import HostError
from bootsmith.host.paths import (
    ensure_folder,
    exists,
    is_file,
    is_folder,
    real_path,
    remove_file,
)


def test_what_is_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "loop").symlink_to("loop")
    found = {
        name: (exists(tmp_path / name), is_file(tmp_path / name), is_folder(tmp_path / name))
        for name in (".", "file", "link", "loop", "none")
    }
    assert found == {
        ".": (True, False, True),
        "file": (True, True, False),
        "link": (True, True, False),
        "loop": (False, False, False),
        "none": (False, False, False),
    }
    assert real_path(tmp_path / "link") == real_path(tmp_path) / "file"


def test_folders_are_made_and_files_removed(tmp_path: Path) -> None:
    ensure_folder(tmp_path / "a" / "b")
    ensure_folder(tmp_path / "a" / "b")
    remove_file(tmp_path / "none")
    (tmp_path / "file").write_bytes(b"")
    remove_file(tmp_path / "file")
    assert not exists(tmp_path / "file")


def test_what_cannot_be_done_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(HostError, match=r"cannot create .*file/a"):
        ensure_folder(tmp_path / "file" / "a")
    with pytest.raises(HostError, match="cannot remove"):
        remove_file(tmp_path)
    with pytest.raises(HostError, match=r"cannot follow .*loop"):
        real_path(tmp_path / "loop")
