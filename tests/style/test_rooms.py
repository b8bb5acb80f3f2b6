"""The rules of the house that import-linter cannot say."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src" / "bootsmith"
OPERATING_SYSTEM = {
    "fcntl", "os", "random", "shutil", "signal", "socket", "subprocess", "tempfile", "time",
}  # fmt: skip
PURE_PARTS = {"fsencode", "fsdecode", "fspath", "PathLike", "makedev", "major", "minor"}
OPENING = {"read_bytes", "read_text", "write_bytes", "write_text"}


def files_outside_host() -> list[Path]:
    return sorted(
        path for path in SOURCES.rglob("*.py") if path.relative_to(SOURCES).parts[0] != "host"
    )


def offences(source: str) -> list[str]:
    """What ``source`` does that only ``host/`` may do."""
    tree = ast.parse(source)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in (
            OPERATING_SYSTEM
        ):
            found += [f"from {node.module} import {name.name}" for name in node.names
                      if name.name not in PURE_PARTS]  # fmt: skip
        elif isinstance(node, ast.Import):
            names = {name.name.split(".")[0] for name in node.names} & OPERATING_SYSTEM
            found += [f"import {name}" for name in names if name != "os"]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "os" and node.attr not in PURE_PARTS:
                found.append(f"os.{node.attr}")
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("open", "print", "exit")
        ):
            found.append(f"{node.func.id}()")
    return found


@pytest.mark.parametrize(
    "path", files_outside_host(), ids=lambda path: str(path.relative_to(SOURCES))
)
def test_only_host_touches_the_operating_system(path: Path) -> None:
    assert offences(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess",
        "import os\nos.unlink('x')",
        "from os import unlink",
        "from time import sleep",
        "open('x')",
        "print('x')",
    ],
)
def test_an_offence_is_found(source: str) -> None:
    assert offences(source)


def test_the_pure_parts_of_os_are_allowed() -> None:
    assert offences("import os\nos.fsencode('x')\nx: os.PathLike") == []
