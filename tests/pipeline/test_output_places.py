"""Building into a folder that is there: it stays itself, and so does what is not ours in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bootsmith.sdk.image import Image
from tests.support.debian_images import bootsmith

CONFIG = '{"debian": {"packages": ["ca-certificates"]}, "files": [{"path": "/a", "content": "a"}]}'


@pytest.mark.network
def test_building_into_the_current_folder(debian_image: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(CONFIG)
    here = tmp_path / "here"
    shutil.copytree(debian_image, here)
    here.chmod(0o700)
    (here / "notes.txt").write_text("mine")
    old, before = Image.open(here).build_id, here.stat()
    done = bootsmith("build", "--config", config, "--output", ".", cwd=here)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert Image.open(here).build_id != old
    Image.open(here).verify()
    after = here.stat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert (here / "notes.txt").read_text() == "mine"
    assert {path.name for path in here.iterdir()} == {
        "notes.txt", *(path.name for path in debian_image.iterdir())
    }  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "here"]


@pytest.mark.parametrize("name", ["manifest.json", "rootfs.ext4", "krun-kernel"])
def test_files_of_no_image_are_told_before_anything_is_fetched(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("{}")
    config = tmp_path / "config.json"
    config.write_text(CONFIG)
    done = bootsmith(
        "build", "--config", config, "--output", out, env={"BOOTSMITH_CACHE_DIR": str(tmp_path)}
    )
    assert done.returncode == 1
    said = done.stderr.decode()
    assert f"holds a {name} that is" in said
    assert "hint: choose another folder" in said
    assert "Resolving" not in said
    assert [path.name for path in out.iterdir()] == [name]
    assert (out / name).read_text() == "{}"
