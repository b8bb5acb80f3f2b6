"""Publication: the old or the new, never a mixture, and the user's own files stay."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bootsmith.errors import HostError
from bootsmith.host import publish
from bootsmith.host.publish import publish_file, publish_folder

OURS = ("a", "b", "manifest.json")


def write(folder: Path, text: str) -> None:
    for name in OURS:
        (folder / name).write_text(text)


def read(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with publish_folder(tmp_path / "out", ours=OURS) as staging:
        write(staging, "new")
        assert not (tmp_path / "out").exists()
    assert read(tmp_path / "out") == dict.fromkeys(OURS, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("can_exchange", [True, False])
def test_an_older_folder_is_replaced_and_strange_files_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool
) -> None:
    if not can_exchange:
        monkeypatch.setattr(publish, "_exchange", lambda first, second: False)
    out = tmp_path / "out"
    out.mkdir()
    write(out, "old")
    (out / "notes.txt").write_text("mine")
    with publish_folder(out, ours=OURS) as staging:
        write(staging, "new")
    assert read(out) == {**dict.fromkeys(OURS, "new"), "notes.txt": "mine"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failure_leaves_the_old_folder_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    write(out, "old")
    with pytest.raises(RuntimeError), publish_folder(out, ours=OURS) as staging:
        write(staging, "new")
        raise RuntimeError
    assert read(out) == dict.fromkeys(OURS, "old")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_killed_publication_leaves_the_old_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from bootsmith.host.publish import publish_folder\n"
        "with publish_folder(Path(sys.argv[1]), ours=()) as staging:\n"
        "    (staging / 'a').write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, out], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not out.exists()
    with publish_folder(out, ours=OURS) as staging:
        assert list(staging.iterdir()) == []
        write(staging, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_mode_does_not_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with publish_folder(tmp_path / "out", ours=OURS):
            pass
        with publish_file(tmp_path / "file") as sink:
            sink.write(b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_a_symlink_to_a_folder_is_followed(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    with publish_folder(tmp_path / "link", ours=OURS) as staging:
        write(staging, "new")
    assert (tmp_path / "link").is_symlink()
    assert read(real) == dict.fromkeys(OURS, "new")


def test_a_file_in_the_way_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with (
        pytest.raises(HostError, match="not a folder"),
        publish_folder(tmp_path / "out", ours=OURS),
    ):
        pytest.fail("the block must not run")


def test_a_file_is_replaced_at_once_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(RuntimeError), publish_file(target) as sink:
        sink.write(b"new")
        raise RuntimeError
    assert target.read_text() == "old"
    with publish_file(target) as sink:
        sink.write(b"new")
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
