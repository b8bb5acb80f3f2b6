"""Everything the README shows is run, in its order, in one folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.debian_images import CACHE, CHECKOUT
from tests.support.judges import require

pytestmark = [pytest.mark.network, pytest.mark.boot]

README = (CHECKOUT / "README.md").read_text()
NOT_HERE = ("pip install", "./dev ")  # what sets up, which has happened when tests run
EXPECTED_STATUS = {"exit 3": 3}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    shown = [line[2:].partition("  #")[0].strip() for line in lines if line.startswith("$ ")]
    return [command for command in shown if not command.startswith(NOT_HERE)]


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "BOOTSMITH_CACHE_DIR": str(CACHE),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_the_readme_shows_works(tmp_path: Path) -> None:
    require("qemu-system-x86_64")
    (tmp_path / "my.json").write_text(blocks("json")[0])
    for command in commands():
        done = run(command, tmp_path)
        status = next((code for text, code in EXPECTED_STATUS.items() if text in command), 0)
        if "echo $?" in command:
            assert done.stdout.splitlines()[-1] == str(status), done.stderr
        elif "doctor" not in command:  # whose status tells of this machine
            assert done.returncode == status, f"{command}\n{done.stdout}{done.stderr}"
    assert "Linux bootsmith" in run("bootsmith exec -- uname -a", tmp_path).stdout


def test_the_python_example_prints_its_answer(tmp_path: Path) -> None:
    require("qemu-system-x86_64")
    (tmp_path / "example.py").write_text(blocks("python")[0])
    done = run(f"{sys.executable} example.py", tmp_path)
    assert done.stdout == "0 42\n\n", done.stderr
