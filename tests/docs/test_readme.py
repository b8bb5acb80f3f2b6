"""Everything the README shows is run, in its order, in one folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.docs.page import Page, no_machine_left, run
from tests.support.judges import require

pytestmark = [pytest.mark.network, pytest.mark.boot]

README = Page.read("README.md")
EXPECTED_STATUS = {"exit 3": 3}


def test_what_the_readme_shows_works(tmp_path: Path) -> None:
    require("qemu-system-x86_64")
    (tmp_path / "my.json").write_text(README.blocks("json")[0])
    with no_machine_left("web"):
        for command in README.commands():
            done = run(command, tmp_path)
            status = next((code for text, code in EXPECTED_STATUS.items() if text in command), 0)
            if "echo $?" in command:
                assert done.stdout.splitlines()[-1] == str(status), done.stderr
            elif "doctor" not in command:  # whose status tells of this machine
                assert done.returncode == status, f"{command}\n{done.stdout}{done.stderr}"
    assert "Linux bootsmith" in run("bootsmith exec -- uname -a", tmp_path).stdout


def test_the_python_example_prints_its_answer(tmp_path: Path) -> None:
    require("qemu-system-x86_64")
    (tmp_path / "example.py").write_text(README.blocks("python")[0])
    done = run(f"{sys.executable} example.py", tmp_path)
    assert done.stdout == "0 42\n\n", done.stderr
