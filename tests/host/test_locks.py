"""One holder at a time, also when holders remove the lock's file as they leave."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bootsmith.host.locks import locked, locked_if_free, locked_to_fill

COUNT_UP = """
import sys
from pathlib import Path
from bootsmith.host.locks import locked, locked_to_fill
lock, counter = map(Path, sys.argv[2:])
for _ in range(100):
    with {"locked": locked, "locked_to_fill": locked_to_fill}[sys.argv[1]](lock):
        counter.write_text(str(int(counter.read_text()) + 1))
        if sys.argv[1] == "locked":
            lock.unlink()
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["locked", "locked_to_fill"])
def test_nobody_counts_at_the_same_time(tmp_path: Path, kind: str) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    children = [
        subprocess.Popen([sys.executable, "-c", COUNT_UP, kind, tmp_path / "lock", counter])
        for _ in range(4)
    ]
    assert [child.wait() for child in children] == [0] * 4
    assert counter.read_text() == "400"


def test_readers_share(tmp_path: Path) -> None:
    with locked(tmp_path / "lock", shared=True), locked(tmp_path / "lock", shared=True):
        pass


def test_a_file_that_nobody_filled_goes_with_its_lock(tmp_path: Path) -> None:
    path = tmp_path / "files" / "one"
    with locked_to_fill(path):
        assert path.exists()
    assert list(path.parent.iterdir()) == []
    with locked_to_fill(path):
        path.write_text("half")
    assert path.read_text() == "half"


def test_a_file_that_was_moved_away_is_let_alone(tmp_path: Path) -> None:
    """Whoever waited has made a file of that name again, and holds it."""
    path, elsewhere = tmp_path / "one", tmp_path / "two"
    with locked_to_fill(path):
        path.rename(elsewhere)
        path.touch()
    assert path.exists()
    assert elsewhere.exists()


def test_a_lock_that_is_held_is_not_waited_for(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with locked(lock), locked_if_free(lock) as is_free:
        assert not is_free
    with locked_if_free(lock) as is_free:
        assert is_free
        with locked_if_free(lock) as again:
            assert not again
