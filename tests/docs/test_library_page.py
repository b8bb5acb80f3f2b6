"""Everything docs/library.md shows is run, in its order, in one folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bootsmith.cli.image import command as image_command
from bootsmith.library.registry import parse_registry
from tests.support.debian_images import CACHE, CHECKOUT
from tests.support.judges import require

PAGE = (CHECKOUT / "docs" / "library.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def commands() -> list[str]:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    return [line[2:] for line in lines if line.startswith("$ ")]


@pytest.mark.network
@pytest.mark.boot
def test_what_the_page_shows_works(tmp_path: Path) -> None:
    require("qemu-system-x86_64")
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "BOOTSMITH_CACHE_DIR": str(CACHE),
        "BOOTSMITH_IMAGE_STORE": str(tmp_path / "library"),
    }
    (tmp_path / "here").mkdir()
    (tmp_path / "example.py").write_text(blocks("python")[0])
    for command in [*commands(), f"{sys.executable} ../example.py"]:
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path / "here", env=env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def test_the_registry_of_the_page_is_one() -> None:
    registry = parse_registry(blocks("json")[0].encode(), url="https://images.example/list.json")
    assert list(registry.names) == ["tools:latest"]


def test_the_page_shows_every_command() -> None:
    assert set(re.findall(r"bootsmith image ([a-z]+)", PAGE)) == set(image_command.commands)
