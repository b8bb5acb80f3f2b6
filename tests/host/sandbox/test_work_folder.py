from __future__ import annotations

from pathlib import Path

import pytest

from bootsmith.errors import HostError
from bootsmith.host.sandbox.work_folder import WorkFolder


def test_a_folder_in_use_is_not_left_over(tmp_path: Path) -> None:
    one, other = WorkFolder(tmp_path), WorkFolder(tmp_path)
    assert one.path.is_dir()
    assert one.path.stat().st_mode & 0o777 == 0o700
    assert one.leftovers() == []
    path = other.path
    other.close()
    assert not path.exists()
    other.close()
    one.close()
    assert list(tmp_path.iterdir()) == []


def test_folders_that_nobody_holds_are_left_over(tmp_path: Path) -> None:
    left = tmp_path / "bootsmith-sandbox-left"
    left.mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "bootsmith-sandbox-file").write_text("")
    (tmp_path / "bootsmith-sandbox-link").symlink_to(tmp_path / "other")
    folder = WorkFolder(tmp_path)
    assert folder.leftovers() == [left]
    folder.close()


def test_a_parent_is_made(tmp_path: Path) -> None:
    folder = WorkFolder(tmp_path / "a" / "b")
    assert folder.path.parent == tmp_path / "a" / "b"
    folder.close()


def test_a_parent_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError, match="cannot create a folder in"):
        WorkFolder(tmp_path / "file")
