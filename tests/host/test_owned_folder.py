"""Folders whose owner the kernel vouches for."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bootsmith.errors import HostError
from bootsmith.host.owned_folder import OwnedFolder, folders_in, private_folder

_HOLD = """
import sys
from pathlib import Path
from bootsmith.host.owned_folder import OwnedFolder
folder = OwnedFolder.adopt(Path(sys.argv[1]), int(sys.argv[2]))
print("held", flush=True)
sys.stdin.read()
"""


def test_one_owner_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    with OwnedFolder.create(path):
        assert path.stat().st_mode & 0o777 == 0o700
        assert OwnedFolder.seize(path) is None
    second = OwnedFolder.seize(path)
    assert second is not None
    second.remove()
    assert not path.exists()
    second.release()
    second.release()


def test_what_is_not_there_cannot_be_owned(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert OwnedFolder.seize(tmp_path / "missing") is None
    assert OwnedFolder.seize(tmp_path / "file") is None
    assert OwnedFolder.take_over(tmp_path / "missing") is None
    with pytest.raises(HostError, match="cannot create"):
        OwnedFolder.create(tmp_path / "missing" / "folder")


def test_a_program_owns_what_it_was_handed_until_it_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    folder = OwnedFolder.create(path)
    program = subprocess.Popen(
        [sys.executable, "-c", _HOLD, path, str(folder.fileno())],
        pass_fds=(folder.fileno(),), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert program.stdout is not None
    assert program.stdout.readline() == b"held\n"
    folder.release()
    assert OwnedFolder.seize(path) is None
    taken: list[OwnedFolder | None] = []
    waiting = threading.Thread(target=lambda: taken.append(OwnedFolder.take_over(path)))
    waiting.start()
    program.kill()
    program.communicate()
    waiting.join(20)
    (owner,) = taken
    assert owner is not None
    owner.release()


def test_a_private_folder(tmp_path: Path) -> None:
    open_to_all = tmp_path / "a" / "b"
    open_to_all.mkdir(parents=True)
    open_to_all.chmod(0o755)
    assert private_folder(open_to_all).stat().st_mode & 0o777 == 0o700
    assert folders_in(tmp_path / "a") == [open_to_all]
    assert folders_in(tmp_path / "nothing") == []


@pytest.mark.root
def test_a_folder_of_somebody_else(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give files away")
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 12345, 12345)
    with pytest.raises(HostError, match="belongs to another user"):
        private_folder(tmp_path / "theirs")
