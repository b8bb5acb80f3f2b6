"""Publication: the old or the new, never a mixture, and the user's own stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias

import pytest

from bootsmith.errors import HostError
from bootsmith.host import publish
from bootsmith.host.publish import exchange_folder, publish_file, publish_folder

OURS = ("a", "b", "manifest.json")

Publication: TypeAlias = Callable[..., AbstractContextManager[Path]]


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


@pytest.mark.parametrize("publication", [publish_folder, exchange_folder])
@pytest.mark.parametrize("can_exchange", [True, False])
def test_an_older_folder_is_replaced_and_strange_files_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool, publication: Publication
) -> None:
    if not can_exchange:
        monkeypatch.setattr(publish, "_exchange", lambda first, second: False)
    out = tmp_path / "out"
    out.mkdir()
    write(out, "old")
    (out / "notes.txt").write_text("mine")
    (out / "more").mkdir()
    with publication(out, ours=OURS) as staging:
        write(staging, "new")
    assert (out / "more").is_dir()
    (out / "more").rmdir()
    assert read(out) == {**dict.fromkeys(OURS, "new"), "notes.txt": "mine"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_file_that_is_no_part_of_the_new_goes(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    write(out, "old")
    with publish_folder(out, ours=OURS) as staging:
        write(staging, "new")
        (staging / "b").unlink()
    assert read(out) == {"a": "new", "manifest.json": "new"}


def test_a_folder_stays_the_folder_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody stands in it, has mounted it, and has decided who may look into it."""
    out = tmp_path / "out"
    out.mkdir()
    out.chmod(0o2710)
    if os.geteuid() == 0:
        os.chown(out, 4711, 4712)
    before = out.stat()
    monkeypatch.chdir(out)
    with publish_folder(Path(), ours=OURS) as staging:
        write(staging, "new")
    after = out.stat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert Path.cwd() == out
    assert read(Path()) == dict.fromkeys(OURS, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def publish_killed(out: Path, event: str, count: int) -> None:
    """Publish ``mid`` into ``out`` and be killed just before the ``count``-th ``event``."""
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from bootsmith.host.publish import publish_folder\n"
        "left = [int(sys.argv[3])]\n"
        "def hook(event, arguments):\n"
        "    if event == sys.argv[2] and left:\n"
        "        left[0] -= 1\n"
        "        if not left[0]: os.kill(os.getpid(), signal.SIGKILL)\n"
        "with publish_folder(Path(sys.argv[1]), ours=sys.argv[4:]) as staging:\n"
        "    for name in sys.argv[4:]: (staging / name).write_text('mid')\n"
        "    sys.addaudithook(hook)\n"
    )
    command = [sys.executable, "-c", script, str(out), event, str(count), *OURS]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL


KILLS = [
    ("os.rename", 1, {"a": "old", "b": "old", "manifest.json": "old"}),
    ("os.remove", 1, {"a": "old", "b": "old", "manifest.json": "old"}),
    ("os.rename", 2, {"a": "old", "b": "old"}),
    ("os.rename", 3, {"a": "mid", "b": "old"}),
    ("os.rename", 4, {"a": "mid", "b": "mid"}),
    ("os.rmdir", 1, {"a": "mid", "b": "mid", "manifest.json": "mid"}),
]


@pytest.mark.parametrize(("event", "count", "left"), KILLS)
def test_killed_between_the_moves_no_manifest_is_beside_files_of_others(
    tmp_path: Path, event: str, count: int, left: dict[str, str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    write(out, "old")
    (out / "notes.txt").write_text("mine")
    publish_killed(out, event, count)
    assert {name: (out / name).read_text() for name in OURS if (out / name).exists()} == left
    with publish_folder(out, ours=OURS) as staging:
        write(staging, "new")
    assert read(out) == {**dict.fromkeys(OURS, "new"), "notes.txt": "mine"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(("event", "count", "left"), KILLS)
def test_killed_between_the_moves_a_next_one_that_fails_leaves_no_half(
    tmp_path: Path, event: str, count: int, left: dict[str, str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    write(out, "old")
    (out / "notes.txt").write_text("mine")
    publish_killed(out, event, count)
    with pytest.raises(RuntimeError), publish_folder(out, ours=OURS):
        raise RuntimeError
    whole = left if "manifest.json" in left else {}
    assert read(out) == {**whole, "notes.txt": "mine"}


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
        "with publish_folder(Path(sys.argv[1]), ours=('a',)) as staging:\n"
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
