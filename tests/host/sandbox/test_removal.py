from __future__ import annotations

import os
from pathlib import Path

import pytest

from bootsmith.host.sandbox.removal import remove_tree


def make_deep(folder: Path, name: str, depth: int) -> None:
    """Folders in folders, each with a file: deeper than a path can say, so step by step."""
    at = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=at))
        os.mkdir(name, dir_fd=at)
        below = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)


@pytest.mark.parametrize(("name", "depth"), [("x", 3000), ("n" * 250, 40)])
def test_paths_that_are_too_long_for_the_kernel(tmp_path: Path, name: str, depth: int) -> None:
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    tree.mkdir()
    outside.mkdir()
    (outside / "kept").write_text("")
    (tree / "link").symlink_to(outside)
    make_deep(tree, name, depth)
    remove_tree(tree)
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]
    assert (outside / "kept").exists()


def test_what_is_not_there(tmp_path: Path) -> None:
    remove_tree(tmp_path / "nothing")
