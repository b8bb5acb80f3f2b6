"""apt in a folder of its own, as the judge of what a set of packages should be.

apt sees one repository, the ``Packages`` file it is given, and an empty system or one with a
few packages installed.  Nothing is downloaded or installed: only ``apt-get --simulate`` runs.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.support.judges import require

_INSTALL = "Inst "


class AptRoot:
    """``packages`` is the text of a ``Packages`` file for ``arch``."""

    def __init__(self, root: Path, packages: bytes, *, arch: str = "amd64") -> None:
        self._apt_get = require("apt-get")
        self._status = root / "status"
        for folder in ("lists/partial", "cache/archives/partial", "etc", "repository"):
            (root / folder).mkdir(parents=True)
        (root / "repository" / "Packages").write_bytes(packages)
        (root / "etc" / "sources.list").write_text(
            f"deb [trusted=yes] file:{root / 'repository'} ./\n"
        )
        self._config = root / "apt.conf"
        self._config.write_text(
            f'Dir "{root}";\n'
            f'Dir::Etc "{root / "etc"}";\n'
            f'Dir::State::Lists "{root / "lists"}";\n'
            f'Dir::State::status "{self._status}";\n'
            f'Dir::Cache "{root / "cache"}";\n'
            f'APT::Architecture "{arch}";\n'
            f'APT::Architectures "{arch}";\n'
            'APT::Sandbox::User "root";\n'
            'Debug::NoLocking "true";\n'
            'pkgCacheGen::ForceEssential ",";\n'  # apt itself is not essential
        )
        self.set_installed([])
        said = self._run("update", "-o", "Acquire::Languages=none")
        assert said is not None, "apt-get update failed"

    def set_installed(self, paragraphs: Iterable[bytes]) -> None:
        """From now on these packages (their paragraphs in ``Packages``) are installed."""
        self._status.write_bytes(
            b"\n".join(
                paragraph.rstrip(b"\n") + b"\nStatus: install ok installed\n"
                for paragraph in paragraphs
            )
        )

    def install(self, *wanted: str, with_recommends: bool = False) -> set[str] | None:
        """The packages apt would install, or ``None`` when it refuses."""
        recommends = f"APT::Install-Recommends={'true' if with_recommends else 'false'}"
        said = self._run("--simulate", "-o", recommends, "install", *wanted)
        if said is None:
            return None
        lines = said.split("\n")
        return {line.split()[1] for line in lines if line.startswith(_INSTALL)}

    def _run(self, *words: str) -> str | None:
        done = subprocess.run(
            [self._apt_get, "-q", *words],
            env={**os.environ, "APT_CONFIG": str(self._config), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )
        return None if done.returncode else done.stdout
