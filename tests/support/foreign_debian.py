"""Debian's kernel and one static program of its for any architecture, without running any of it.

Configuring packages takes programs of the image's architecture; unpacking them does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bootsmith.config.parse import parse_config
from bootsmith.errors import FetchError
from bootsmith.host.environment import environment
from bootsmith.host.http import HttpClient
from bootsmith.model.arch import Arch
from bootsmith.model.reporter import Silent
from bootsmith.pipeline.debian import Debian
from bootsmith.pipeline.mirrors import MirrorAccess
from bootsmith.pipeline.request import BuildRequest
from bootsmith.pipeline.workbench import Workbench
from bootsmith.sandbox.chosen import ChosenExecutor
from bootsmith.sandbox.head_start import HeadStart
from bootsmith.sources.debian.unpacked import ChosenDeb, unpack_debs
from bootsmith.store.blobs import Store
from bootsmith.store.fetch import Fetcher
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer
from tests.support.debian_images import CACHE
from tests.support.judges import unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignDebian:
    """The files of both packages; what they contain lies in ``store``."""

    request: BuildRequest
    kernel: FileTree
    busybox: Layer
    store: Store


def foreign_debian(arch: Arch, folder: Path) -> ForeignDebian:
    """Both packages for ``arch``, or the test is skipped (failed in CI) without a mirror."""
    config = parse_config(
        {"distro": "debian", "debian": {"packages": ["busybox-static"]}}, origin=""
    )
    request = BuildRequest(config=config, arch=arch, output=folder)
    store = Store(CACHE)
    bench = _workbench(store, arch, folder)
    debian = Debian(request, bench)
    try:
        lock = debian.resolve()
        busybox = next(one for one in lock.packages if one.name == "busybox-static")
        bench.fetcher.fetch(map(debian.remote, (lock.kernel, busybox)))
    except FetchError as error:
        unavailable(f"no Debian mirror can be reached: {error}")
    (deb,) = unpack_debs(
        [
            ChosenDeb(
                name=busybox.name,
                version=busybox.version,
                architecture=busybox.arch,
                digest=busybox.digest,
                size_bytes=busybox.size_bytes,
            )
        ],
        store=store,
    )
    return ForeignDebian(
        request=request, kernel=debian.kernel_tree(lock), busybox=deb.data, store=store
    )


def _workbench(store: Store, arch: Arch, folder: Path) -> Workbench:
    http = HttpClient()
    fetcher = Fetcher(store=store, http=http, reporter=Silent(), offline=False)
    return Workbench(
        store=store,
        fetcher=fetcher,
        mirrors=MirrorAccess(
            store=store, http=http, fetcher=fetcher, environment=environment(), override=None
        ),
        reporter=Silent(),
        executor=ChosenExecutor(
            wanted="auto",
            arch=arch,
            work_folder=store.work,
            head_start=HeadStart(store.work),
            state_folder=folder,
            reporter=Silent(),
        ),
        files=folder,
        now=datetime.now(UTC),
    )
