"""Nobody's files but an image's are replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootsmith.errors import HostError
from bootsmith.host.publish import HALF_PUBLISHED
from bootsmith.manifest.image_place import require_image_place
from tests.support.stored_images import write_small_image

NAMES = ("vmlinuz-virt", "rootfs.ext4", "bootsmith.lock.json", "manifest.json")
EXTENSION = '{"manifest_version": 3, "name": "Tabs", "version": "1.0"}'


def test_no_folder_an_empty_one_and_one_of_other_files(tmp_path: Path) -> None:
    require_image_place(tmp_path / "none", NAMES)
    require_image_place(tmp_path, NAMES)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "bootsmith.lock.json").write_text("a lock is kept here")
    require_image_place(tmp_path, NAMES)


def test_an_image_may_be_replaced_also_one_that_lacks_files(tmp_path: Path) -> None:
    write_small_image(tmp_path)
    require_image_place(tmp_path, NAMES)
    (tmp_path / "rootfs.ext4").unlink()
    require_image_place(tmp_path, NAMES)


@pytest.mark.parametrize("text", [EXTENSION, "[]", "no JSON", '{"version": 1, "assets": {}}'])
def test_a_manifest_of_something_else_is_nobodys_to_replace(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(HostError, match=r"holds a manifest\.json that is no image's"):
        require_image_place(tmp_path, NAMES)


def test_a_file_of_an_images_name_without_manifest(tmp_path: Path) -> None:
    (tmp_path / "rootfs.ext4").write_text("mine")
    with pytest.raises(HostError, match=r"holds a rootfs\.ext4 that is of no image"):
        require_image_place(tmp_path, NAMES)


@pytest.mark.parametrize("name", ["rootfs.ext4", "manifest.json"])
def test_a_folder_where_a_file_is_to_go(tmp_path: Path, name: str) -> None:
    write_small_image(tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    with pytest.raises(HostError, match=f"holds a folder {name}"):
        require_image_place(tmp_path, NAMES)


def test_what_a_kill_left_may_be_repaired(tmp_path: Path) -> None:
    write_small_image(tmp_path)
    (tmp_path / "manifest.json").unlink()
    (tmp_path / HALF_PUBLISHED).mkdir()
    require_image_place(tmp_path, NAMES)


@pytest.mark.parametrize("text", [None, "cut o", "{}"])
def test_an_image_of_ours_whose_manifest_is_damaged(tmp_path: Path, text: str | None) -> None:
    """What is told of it is to build it again, there."""
    write_small_image(tmp_path)
    (tmp_path / "bootsmith.lock.json").write_text("{}")
    (tmp_path / "manifest.json").unlink()
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    require_image_place(tmp_path, NAMES)
