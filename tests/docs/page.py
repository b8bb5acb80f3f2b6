"""A page of the documentation as its examples: what is shown is what is run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.debian_images import CACHE, CHECKOUT

NOT_HERE = ("pip install", "./dev ")  # what sets up, which has happened when tests run


@dataclass(frozen=True, slots=True)
class Page:
    text: str

    @classmethod
    def read(cls, path: str) -> Page:
        return cls((CHECKOUT / path).read_text())

    def blocks(self, language: str) -> list[str]:
        return re.findall(rf"```{language}\n(.*?)```", self.text, re.DOTALL)

    def commands(self) -> list[str]:
        """What stands behind a prompt, without comments, in its order."""
        lines = [line for block in self.blocks("console") for line in block.splitlines()]
        shown = [line[2:].partition("  #")[0].strip() for line in lines if line.startswith("$ ")]
        return [command for command in shown if not command.startswith(NOT_HERE)]


@contextmanager
def no_machine_left(*names: str) -> Iterator[None]:
    """A page that fails half-way leaves none of the machines running that it has ``names`` for."""
    try:
        yield
    finally:
        for name in names:
            run(f"bootsmith stop --kill {name}", CHECKOUT)


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line as the reader would, in ``folder``, with the tests' own cache, and a library of
    images in that folder."""
    return subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env={
            "BOOTSMITH_IMAGE_STORE": str(folder / ".images"),
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "BOOTSMITH_CACHE_DIR": str(CACHE),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
