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
# What a path does that asks or changes the machine.  Some of these names are also those of what
# trees, texts and values do: theirs take other numbers of arguments.
ON_PATHS = {
    "chmod", "cwd", "exists", "expanduser", "glob", "hardlink_to", "is_dir", "is_file",
    "is_symlink", "iterdir", "lstat", "mkdir", "read_bytes", "read_text", "readlink", "rglob",
    "rmdir", "samefile", "stat", "symlink_to", "touch", "unlink", "write_bytes", "write_text",
}  # fmt: skip
ARGUMENTS_ON_PATHS = {"home": 0, "rename": 1, "replace": 1, "resolve": 0}
NO_PATHS = {"distribution"}


def files_outside_host() -> list[Path]:
    return sorted(
        path for path in SOURCES.rglob("*.py") if path.relative_to(SOURCES).parts[0] != "host"
    )


def offences(source: str) -> list[str]:
    """What ``source`` does that only ``host/`` may do."""
    tree = ast.parse(source)
    # The package's own data files are read through it, as if they were paths.
    reads_own_files = "importlib" in source and "resources" in source
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
            if (node.value.id, node.attr) == ("sys", "platform"):
                found.append("sys.platform")
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("open", "print", "exit")
        ):
            found.append(f"{node.func.id}()")
        elif _is_on_a_path(node) and not reads_own_files:
            found.append(ast.unparse(node))
    return found


def _is_on_a_path(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    if isinstance(node.func.value, ast.Name) and node.func.value.id in NO_PATHS:
        return False
    method = node.func.attr
    return method in ON_PATHS or ARGUMENTS_ON_PATHS.get(method) == len(node.args)


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
        "import sys\nsys.platform == 'linux'",
        "from pathlib import Path\nPath.cwd()",
        "folder.mkdir(parents=True)",
        "path.resolve()",
        "path.replace(target)",
        "path.read_bytes()",
    ],
)
def test_an_offence_is_found(source: str) -> None:
    assert offences(source)


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.fsencode('x')\nx: os.PathLike",
        "text.replace('a', 'b')",
        "replace(value, name=1)",
        "tree.resolve(path)",
        "from importlib.resources import files\nfiles('x').joinpath('y').read_text()",
    ],
)
def test_what_asks_no_machine_is_allowed(source: str) -> None:
    assert offences(source) == []
