"""import-linter's contracts hold, and would notice if they did not."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # ./dev check runs lint-imports itself

CHECKOUT = Path(__file__).parents[2]


def lint_imports(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache", *arguments], cwd=CHECKOUT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def test_every_room_imports_only_rooms_of_lower_rank() -> None:
    done = lint_imports()
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_order_of_ranks_is_noticed(tmp_path: Path) -> None:
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = settings["contracts"][0]["layers"]
    wrong = "\n    ".join(reversed([layer for layer in layers if "library" not in layer]))
    config = tmp_path / "importlinter.ini"
    config.write_text(
        "[importlinter]\nroot_package = bootsmith\n"
        "[importlinter:contract:ranks]\nname = upside down\ntype = layers\n"
        f"containers = bootsmith\nlayers =\n    {wrong}\n"
    )
    assert lint_imports("--config", config).returncode == 1
