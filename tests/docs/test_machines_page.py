"""What docs/machines.md shows is run, in its order, with an image and a cache folder of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootsmith.cli.main import bootsmith as command_line
from tests.support.debian_images import CHECKOUT
from tests.support.judges import require

pytestmark = [pytest.mark.network, pytest.mark.boot]

PAGE = (CHECKOUT / "docs" / "machines.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def shown() -> Iterator[tuple[str, list[str]]]:
    """Each command with the lines that it prints on the page."""
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *lines = part.splitlines()
            yield command, lines


def pattern(line: str) -> str:
    """What must be printed where the page shows ``line``: what varies may be else."""
    varying = r"[0-9a-f]{8}|\d+ s\b|\d+\.\d+ s|[0-9a-f]+…|/[\w/-]+|Linux \S+|\s+"
    return "".join(
        re.escape(piece) if at % 2 == 0 else {True: r"\s+"}.get(piece.isspace(), r"[\w.…/\s-]+?")
        for at, piece in enumerate(re.split(rf"({varying})", line))
    )


@pytest.fixture
def environment(tmp_path: Path, debian_image: Path) -> Iterator[dict[str, str]]:
    require("qemu-system-x86_64")
    (tmp_path / "bootsmith-image").symlink_to(debian_image)
    found = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "BOOTSMITH_CACHE_DIR": str(tmp_path / "cache"),
    }
    yield found
    # A page that failed half-way leaves nothing running either.
    end = "bootsmith list --quiet | xargs -r bootsmith stop --kill"
    subprocess.run(["sh", "-c", end], env=found, check=True)


def test_what_the_page_shows_works(tmp_path: Path, environment: dict[str, str]) -> None:
    for command, lines in shown():
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        printed = done.stdout.splitlines()
        assert len(printed) >= len(lines), f"{command}\n{done.stdout}"
        for line, told in zip(lines, printed, strict=False):
            assert re.fullmatch(pattern(line), told.rstrip()), f"{command}\n{line!r}\n{told!r}"
    left = [path.name for path in (tmp_path / "cache" / "machines").iterdir()]
    assert left == [".lock"]


def test_the_python_example_prints_its_answer(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "example.py").write_text(blocks("python")[0])
    done = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "kept\nkept\n"), done.stderr


@pytest.mark.parametrize("name", ["run", "list", "attach", "stop", "logs", "exec"])
def test_the_page_tells_of_every_command(name: str) -> None:
    assert command_line.get_command(None, name) is not None  # type: ignore[arg-type]
    assert f"`{name} " in PAGE or f"bootsmith {name}" in PAGE
