"""Compiling the guest agent with the Zig toolchain that PyPI ships.

The package's build hook loads this file by its path, before bootsmith or anything it
depends on is installed: it imports the standard library only and raises its exceptions.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

#: The only compiler the agent is made with: another one makes other bytes.
ZIG_REQUIREMENT = "ziglang==0.15.2"

#: What Zig calls the machines there is an agent for.
TARGETS = {"x86_64": "x86_64-linux-none", "aarch64": "aarch64-linux-none"}

_OPTIONS = (
    "-OReleaseSafe",
    "-fstrip",
    "-fsingle-threaded",
    "-fno-unwind-tables",
    "--build-id=none",
)
_DIGEST_FILE = "SOURCES.sha256"


def is_fresh(folder: Path) -> bool:
    """Whether every agent in ``folder/bin`` is made from the sources in ``folder/src``."""
    try:
        recorded = (folder / "bin" / _DIGEST_FILE).read_text("ascii").strip()
    except FileNotFoundError:
        return False
    agents = (agent_path(folder, arch) for arch in TARGETS)
    return recorded == source_digest(folder) and all(agent.is_file() for agent in agents)


def agent_path(folder: Path, arch: str) -> Path:
    """Where the agent for ``arch`` lies below the guest folder."""
    return folder / "bin" / arch / "agent"


def compile_all(folder: Path) -> None:
    """Make the agents of all architectures, then record what they were made from.

    Each file is replaced at once, and the record last: whoever reads at any moment finds
    whole agents, and a record that is never newer than they are.
    """
    digest = source_digest(folder)
    for arch in TARGETS:
        compile_agent(folder, arch, agent_path(folder, arch))
    with tempfile.TemporaryDirectory(dir=folder / "bin") as scratch:
        record = Path(scratch) / _DIGEST_FILE
        record.write_text(f"{digest}\n", "ascii")
        record.replace(folder / "bin" / _DIGEST_FILE)


def compile_agent(folder: Path, arch: str, output: Path) -> None:
    """Make the agent for ``arch`` from ``folder/src``, the same bytes wherever this runs.

    Raises ``CalledProcessError``, with the compiler's output, when that fails.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".zig-") as scratch:
        made = Path(scratch) / "agent"
        subprocess.run(
            compile_command(arch, made, cache=Path(scratch) / "cache"),
            cwd=folder,
            check=True,
            capture_output=True,
        )
        made.chmod(0o755)
        made.replace(output)


def compile_command(arch: str, output: Path, *, cache: Path) -> list[str]:
    """The compiler's command line, to be run in the guest folder."""
    return [
        *(sys.executable, "-m", "ziglang", "build-exe", "src/main.zig"),
        *("-target", TARGETS[arch]),
        *_OPTIONS,
        *("--cache-dir", str(cache), "--global-cache-dir", str(cache)),
        f"-femit-bin={output}",
    ]


def source_digest(folder: Path) -> str:
    """The SHA-256 of all that decides the agents' bytes: sources, compiler and options."""
    hasher = hashlib.sha256("\0".join((ZIG_REQUIREMENT, *_OPTIONS)).encode())
    for source in _sources(folder):
        content = source.read_bytes()
        hasher.update(f"\n{source.relative_to(folder).as_posix()} {len(content)}\n".encode())
        hasher.update(content)
    return hasher.hexdigest()


def _sources(folder: Path) -> Iterator[Path]:
    yield from sorted((folder / "src").rglob("*.zig"), key=lambda path: path.as_posix())
