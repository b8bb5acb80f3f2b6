"""An ordinary user of this machine, for what must work without root.

Tests that run as root make one for their own time; tests that do not *are* one.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.judges import require, unavailable

CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdinaryUser:
    """``name`` is ``None`` when this process itself is the user."""

    name: str | None
    python: Path

    def run(
        self,
        code: str,
        *words: str | Path,
        env: Mapping[str, str] | None = None,
        umask: int = 0o22,
        timeout_s: float = 600,
    ) -> subprocess.CompletedProcess[str]:
        """Run Python code as this user, with the same packages as the tests."""
        packages = sysconfig.get_path("purelib")
        path = os.pathsep.join((str(CHECKOUT / "src"), str(CHECKOUT), packages))
        return subprocess.run(
            [self.python, "-c", code, *words],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": path,
                "PYTHONDONTWRITEBYTECODE": "1",
                **(env or {}),
            },
            user=self.name,
            group=self.name,
            extra_groups=[] if self.name else None,
            umask=umask,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )


@contextmanager
def ordinary_user(name: str, *, with_ranges: bool = True) -> Iterator[OrdinaryUser]:
    """A user who has subordinate ids, or has none.  Skips where there can be none."""
    if os.geteuid() != 0:
        if not with_ranges:
            unavailable("only root can make a user without subordinate ids")
        yield OrdinaryUser(name=None, python=Path(sys.executable))
        return
    for tool in ("useradd", "usermod", "userdel"):
        require(tool)
    subprocess.run(["userdel", "--remove", name], capture_output=True, check=False)
    subprocess.run(["useradd", "--create-home", name], capture_output=True, check=True)
    try:
        if not with_ranges:
            everything = ("--del-subuids", "0-4294967294", "--del-subgids", "0-4294967294")
            subprocess.run(["usermod", *everything, name], check=True)
        yield OrdinaryUser(name=name, python=_python_for(name))
    finally:
        subprocess.run(["userdel", "--remove", name], capture_output=True, check=False)


def _python_for(name: str) -> Path:
    """A Python of this version that the user may execute; root's own may lie in its home."""
    system = Path(f"/usr/bin/python3.{sys.version_info.minor}")
    for candidate in (Path(sys.executable), system):
        with contextlib.suppress(OSError):
            subprocess.run([candidate, "-c", ""], user=name, group=name, cwd="/", check=True)
            return candidate
    unavailable(f"an ordinary user may not execute {sys.executable}, and there is no {system}")
    return None
