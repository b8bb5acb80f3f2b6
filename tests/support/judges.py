"""Other people's programs, which judge our bytes.

A judge that is missing skips its test by name on a developer's machine; in CI (the variable
``CI`` is set) it fails the test, because a check that silently does not run is no check.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from bootsmith.host.tools import find_tool, install_line


def require(tool: str) -> Path:
    """Where the judge ``tool`` is; otherwise the test is skipped, or failed in CI."""
    found = find_tool(tool)
    if found is None:
        unavailable(f"{tool} is not installed ({install_line(tool)})")
    return found


def unavailable(reason: str) -> NoReturn:
    """Skip the running test, or fail it in CI, because of ``reason``."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def judge(*argv: str | Path, stdin: bytes = b"", check: bool = True) -> str:
    """Run a judge and return what it says on both outputs."""
    require(str(argv[0]))
    words = [str(find_tool(str(argv[0])) or argv[0]), *map(str, argv[1:])]
    done = subprocess.run(words, input=stdin, capture_output=True, check=False)
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    if check and done.returncode:
        pytest.fail(f"{argv[0]} ended with status {done.returncode}:\n{said}")
    return said
