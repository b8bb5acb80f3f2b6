"""Everything docs/running.md shows is run, in its order, in one folder with an image in it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.docs.page import Page, no_machine_left, run
from tests.support.judges import require

pytestmark = [pytest.mark.network, pytest.mark.boot]

PAGE = Page.read("docs/running.md")
PRINTS = {
    "uname -m": "x86_64\n",
    "as it is": "as it is\n/etc\n",
    "nproc": "bootsmith has 2\n",
    "src:/work --cwd": "from the host\n",
    "cat src/answer": "from the guest\n",
    ":ro": "from the guest\n",
    "cat /root/state": "done\n",
    "--vm db": "bootsmith\n",
}
PYTHON_PRINTS = "3 42\nhello\nb'bootsmith\\n'\nTrue\nTrue\nkept\n"


@pytest.fixture
def folder(debian_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    require("qemu-system-x86_64")
    for name in ("BOOTSMITH_GUEST_DIR", "GONDOLIN_GUEST_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "bootsmith-image").symlink_to(debian_image)
    return tmp_path


def test_what_the_page_shows_works(folder: Path) -> None:
    untold = set(PRINTS)
    with no_machine_left("db"):
        for command in PAGE.commands():
            done = run(command, folder)
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            for words in [words for words in untold if words in command]:
                assert done.stdout == PRINTS[words], command
                untold.remove(words)
    assert untold == set(), "the page no longer shows these"


def test_the_python_example_prints_its_answers(folder: Path) -> None:
    (folder / "example.py").write_text(PAGE.blocks("python")[0])
    done = run(f"{sys.executable} example.py", folder)
    assert done.stdout == PYTHON_PRINTS, done.stderr
