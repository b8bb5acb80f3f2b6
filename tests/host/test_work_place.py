"""Folders for work under way: gone afterwards, left alone while somebody works in them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bootsmith.host.work_place import remove_stale_work, work_place

_KILLED = (
    "import os, signal, sys; from pathlib import Path\n"
    "from bootsmith.host.work_place import work_place\n"
    "with work_place(Path(sys.argv[1])) as place:\n"
    "    (place / 'half').write_text('x'); os.kill(os.getpid(), signal.SIGKILL)\n"
)


def test_it_is_gone_afterwards(tmp_path: Path) -> None:
    with work_place(tmp_path, label="build") as place:
        (place / "deep").mkdir()
        (place / "deep" / "file").touch()
        assert place.name.startswith("build-")
    assert list(tmp_path.iterdir()) == []


def test_it_is_gone_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), work_place(tmp_path):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _KILLED, tmp_path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.rglob("half"))
    with work_place(tmp_path) as busy:
        remove_stale_work(tmp_path)
        assert [path for path in tmp_path.iterdir() if path.is_dir()] == [busy]
    assert list(tmp_path.iterdir()) == []


def test_there_may_be_nothing(tmp_path: Path) -> None:
    remove_stale_work(tmp_path / "nothing")
    assert list(tmp_path.iterdir()) == []
