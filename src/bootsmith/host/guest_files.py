"""Where the files that go into a guest lie: the agent and the init scripts.

An installed bootsmith carries them in its package (``bootsmith/guest``), a source checkout
has them in its ``guest`` folder.  In a checkout the agents are compiled when they are first
asked for after their sources changed.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootsmith.errors import CommandFailed, HostError, ToolMissing
from bootsmith.host import agent_build
from bootsmith.model.arch import Arch

#: The names the agent goes by in ``/usr/bin`` of a guest; all are the same file.
AGENT_NAMES = ("sandboxd", "sandboxfs", "sandboxssh", "sandboxingress")

#: Where the same file lies for our own init, whatever stands in for the names above.
GUEST_PROGRAM = "usr/lib/bootsmith/bootsmith-guest"


def agent_binary(arch: Arch) -> Path:
    """The guest agent for ``arch``, a static executable.

    Raises ``ToolMissing`` when it must be compiled first and the compiler is not there,
    ``CommandFailed`` when the compiler refuses the sources.
    """
    folder = guest_folder()
    if _is_checkout(folder) and not agent_build.is_fresh(folder):
        _require_compiler()
        with _lock(folder), _compiling():
            if not agent_build.is_fresh(folder):  # Else another process has just made them.
                agent_build.compile_all(folder)
    agent = agent_build.agent_path(folder, arch.value)
    if not agent.is_file():
        raise HostError(f"this installation has no guest agent: {agent}", hint=_REINSTALL)
    return agent


def compile_agent(output: Path, arch: Arch) -> None:
    """Make the agent for ``arch`` again, from the sources that bootsmith carries.

    The bytes are those of ``agent_binary``, wherever this runs.  Raises ``ToolMissing`` and
    ``CommandFailed`` as that does.
    """
    _require_compiler()
    with _compiling():
        agent_build.compile_agent(guest_folder(), arch.value, output)


def init_script(name: str) -> Path:
    """The init script ``name`` (``rootfs-init.sh``).  Raises ``HostError`` for another name."""
    script = guest_folder() / "init" / name
    if Path(name).name != name or not script.is_file():
        raise HostError(f"bootsmith has no init script {name!r}", hint=_REINSTALL)
    return script


def guest_folder() -> Path:
    """The folder with ``src``, ``init`` and ``bin``.  Raises ``HostError`` when it is lost."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "guest", package.parents[1] / "guest"):
        if (folder / "src" / "main.zig").is_file():
            return folder
    raise HostError("the guest files of this installation are missing", hint=_REINSTALL)


_REINSTALL = "install bootsmith again"


def _is_checkout(folder: Path) -> bool:
    return folder.parent.name != "bootsmith" or (folder.parent / "pyproject.toml").is_file()


def _require_compiler() -> None:
    if importlib.util.find_spec("ziglang") is None:
        raise ToolMissing(
            "the Zig compiler is not installed",
            tool="ziglang",
            install=f"pip install {agent_build.ZIG_REQUIREMENT}",
        )


@contextmanager
def _compiling() -> Iterator[None]:
    try:
        yield
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip()
        raise CommandFailed(
            f"the guest agent could not be compiled:\n{said}",
            argv=tuple(map(str, error.cmd)),
            exit_code=error.returncode,
            tail=said,
        ) from error
    except OSError as error:
        raise HostError(f"the guest agent could not be compiled: {error}") from error


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """One compiling process at a time; the lock ends with the process that holds it."""
    try:
        (folder / "bin").mkdir(exist_ok=True)
        fd = os.open(folder / "bin" / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise HostError(f"cannot write into {folder}: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
