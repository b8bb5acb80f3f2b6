"""bootsmith starts on systems that have no namespaces, and then says so."""

from __future__ import annotations

import subprocess
import sys

_CODE = """
import os, select, signal, socket, sys, time

sys.platform = "darwin"
for module, names in (
    (os, ("setxattr", "listxattr", "getxattr", "copy_file_range", "pidfd_open", "pipe2", "O_PATH")),
    (os, [name for name in dir(os) if name.startswith("ST_")]),
    (select, ("POLLRDHUP",)),
    (socket, ("SOCK_CLOEXEC",)),
):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
from bootsmith.sandbox.chosen import ChosenExecutor
from bootsmith.host.namespaces import namespace_support
print(*namespace_support(), sep="|")
"""


def test_elsewhere_than_on_linux() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CODE], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout == (
        "none|the programs of a guest need a Linux kernel|build on a Linux machine\n"
    )
