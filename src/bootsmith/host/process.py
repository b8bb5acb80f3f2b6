"""Running other programs to their end.

A program started here gets a clean environment (``PATH``, ``HOME``, ``LC_ALL=C.UTF-8`` and
what the caller passes): nothing of the user's secrets leaks into it, and its output does not
depend on the user's locale.  Programs that keep running, such as QEMU, are started by
``host.child``.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootsmith.errors import CommandFailed
from bootsmith.host.tools import require_tool

_TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """What a program left behind.  ``exit_code`` is 128 + n when signal n ended it."""

    argv: tuple[str, ...]
    exit_code: int
    stdout: bytes
    stderr: bytes


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes = b"",
    timeout_s: float | None = None,
    check: bool = True,
) -> Completed:
    """Run a program and collect what it prints.

    Raises ``ToolMissing`` when it is not installed, ``CommandFailed`` when it ends with
    another status than 0 (unless ``check`` is false) or takes longer than ``timeout_s``.
    """
    words = tuple(os.fspath(word) for word in argv)
    program = words[0] if "/" in words[0] else os.fspath(require_tool(words[0]))
    try:
        done = subprocess.run(
            (program, *words[1:]),
            env=clean_environment(env),
            cwd=cwd,
            input=stdin,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(
            f"{words[0]} did not finish within {timeout_s:g} s",
            argv=words,
            exit_code=124,
            tail=_tail(error.stderr or b""),
        ) from error
    except OSError as error:
        raise CommandFailed(
            f"{words[0]} could not be started: {error.strerror}", argv=words, exit_code=127
        ) from error
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    if check and status != 0:
        tail = _tail(done.stderr or done.stdout)
        raise CommandFailed(
            f"{words[0]} failed with status {status}" + (f": {tail}" if tail else ""),
            argv=words,
            exit_code=status,
            tail=tail,
        )
    return Completed(argv=words, exit_code=status, stdout=done.stdout, stderr=done.stderr)


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a program that bootsmith starts."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {"LC_ALL": "C.UTF-8", **kept, **(extra or {})}


def _tail(output: bytes) -> str:
    return output[-_TAIL_BYTES:].decode("utf-8", "replace").strip()
