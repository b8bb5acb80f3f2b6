"""A tiny guest: a shell and a few tools of this machine, with the libraries they need."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from bootsmith.host.tools import find_tool
from bootsmith.model.guest_path import guest_path
from bootsmith.tree.entry import InlineBytes, Metadata, RegularFile, Symlink
from bootsmith.tree.file_tree import FileTree, TreeBuilder
from tests.support.judges import unavailable

PROGRAMS = (
    *("bash", "sh", "cat", "chmod", "chown", "chroot", "cp", "dd", "env", "head", "hostname", "id"),
    *("kill", "ln", "ls", "mkdir", "mkfifo", "mknod", "mount", "mv", "readlink", "rm", "rmdir"),
    *("seq", "setsid", "sleep", "stat", "tail", "touch", "truncate", "umount", "unshare"),
)
MTIME_NS = 1_700_000_000_123_456_789

_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


@cache
def host_programs_tree() -> FileTree:
    """A tree in which scripts run: ``/bin/sh`` and what a script needs, ``/etc`` and ``/root``.

    Skips the test when this machine lacks one of the programs.
    """
    builder = TreeBuilder()
    for folder in ("etc", "root", "usr/bin", "usr/lib"):
        builder.ensure_directory(guest_path(folder))
    for link, target in (("bin", b"usr/bin"), ("lib", b"usr/lib"), ("lib64", b"usr/lib64")):
        builder.put(guest_path(link), Symlink(Metadata(0o777), target))
    for name in PROGRAMS:
        program = find_tool(name)
        if program is None:
            unavailable(f"this machine has no {name}")
        _put(builder, f"usr/bin/{name}", program)
        for library in _libraries(program):
            _put(builder, f"usr{library.removeprefix('/usr')}", Path(library))
    return builder.build()


def with_files(tree: FileTree, files: dict[str, bytes]) -> FileTree:
    """``tree`` with regular files of mode 644 at these paths, and their folders."""
    builder = TreeBuilder(tree)
    for path, content in files.items():
        place = guest_path(path)
        builder.ensure_directory(guest_path(path.rpartition("/")[0]))
        builder.put(place, RegularFile(Metadata(0o644, mtime_ns=MTIME_NS), InlineBytes(content)))
    return builder.build()


def _put(builder: TreeBuilder, path: str, source: Path) -> None:
    place = guest_path(path)
    if place in builder:
        return
    builder.ensure_directory(guest_path(path.rpartition("/")[0]))
    data = source.resolve().read_bytes()
    builder.put(place, RegularFile(Metadata(0o755), InlineBytes(data)))


def _libraries(program: Path) -> Iterator[str]:
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    yield from _LIBRARY.findall(done.stdout)
