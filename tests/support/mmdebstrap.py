"""What mmdebstrap makes, with the very packages it made it of."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bootsmith.config.distributions import DebianConfig
from bootsmith.host.environment import environment
from bootsmith.host.http import HttpClient
from bootsmith.host.locks import locked
from bootsmith.model.reporter import Silent
from bootsmith.pipeline.debian_mirrors import DebianMirrors
from bootsmith.pipeline.mirrors import MirrorAccess
from bootsmith.plan.debian import repositories
from bootsmith.store.blobs import Store
from bootsmith.store.fetch import Fetcher
from tests.support.judges import require, unavailable

SUITE = "bookworm"
INCLUDE = ("openssh-server",)


def reference(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder with ``root.tar`` and the ``.deb`` files; made once a test run."""
    require("mmdebstrap")
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    folder = shared / "mmdebstrap"
    with locked(shared / "mmdebstrap.lock"):
        if not (folder / "root.tar").exists():
            folder.mkdir(exist_ok=True)
            _make(folder)
    return folder


def _make(folder: Path) -> None:
    partial = folder / "partial.tar"
    done = subprocess.run(
        (
            *("mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(INCLUDE)}"),
            # Keep the packages until they are copied out.
            "--skip=essential/unlink",
            f"--customize-hook=copy-out /var/cache/apt/archives {folder}",
            *(SUITE, str(partial), *_sources(folder)),
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        unavailable(f"mmdebstrap failed, is there a mirror? {done.stderr[-500:]}")
    partial.rename(folder / "root.tar")


def _sources(folder: Path) -> list[str]:
    """Lines of sources.list(5) for this machine's mirrors."""
    config = DebianConfig(suite=SUITE)
    store, http = Store(folder / "store"), HttpClient()
    fetcher = Fetcher(store=store, http=http, reporter=Silent())
    access = MirrorAccess(store=store, http=http, fetcher=fetcher, environment=environment())
    mirrors = DebianMirrors(config, access).by_archive
    return [
        f"deb {mirrors[one.archive].url} {one.suite} {' '.join(one.components)}"
        for one in repositories(config)
    ]
