"""A small image with a distribution's own kernel, for any architecture, without running any of it.

Configuring packages takes programs of the image's architecture; unpacking them does not.  So this
is Debian's kernel and one static program of Debian's, busybox, with our agent around them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from bootsmith.config.parse import parse_config
from bootsmith.errors import FetchError
from bootsmith.host.environment import environment
from bootsmith.host.http import HttpClient
from bootsmith.image.ext4 import Ext4Options
from bootsmith.model.arch import Arch
from bootsmith.model.guest_path import guest_path
from bootsmith.model.reporter import Silent
from bootsmith.pipeline.artifacts import write_artifacts
from bootsmith.pipeline.boot_layer import boot_layer
from bootsmith.pipeline.debian import Debian
from bootsmith.pipeline.guest_layer import add_guest
from bootsmith.pipeline.guest_programs import guest_files
from bootsmith.pipeline.mirrors import MirrorAccess
from bootsmith.pipeline.request import BuildRequest
from bootsmith.pipeline.workbench import Workbench
from bootsmith.plan.lock import LockedPackage
from bootsmith.sandbox.choose import ChosenExecutor
from bootsmith.sources.debian.unpacked import ChosenDeb, unpack_debs
from bootsmith.store.blobs import Store
from bootsmith.store.fetch import Fetcher
from bootsmith.tree.entry import Directory, Entry, Metadata, Symlink
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer, Member, overlay
from bootsmith.tree.normalise import clamp_times
from tests.support.debian_images import CACHE
from tests.support.judges import unavailable

_APPLETS = ("cat", "false", "mkdir", "sh", "sleep", "true", "uname")
_FOLDERS = ("bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "usr", "usr/bin")
_EPOCH_S = 1_700_000_000


def write_small_image(folder: Path, arch: Arch) -> Path:
    """Make the image in ``folder``: kernel, initramfs and root file system, and no manifest."""
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
    guest = guest_files(request, store=store, base=folder)
    boot = boot_layer(
        debian.kernel_tree(lock),
        config.kernel,
        arch=arch,
        image=None,
        init=guest.initramfs_init,
        blobs=store,
    ).dated(_EPOCH_S)
    root = overlay(_root(store, busybox), boot.modules)
    root = add_guest(root, guest, request, epoch_s=_EPOCH_S, reporter=Silent())
    folder.mkdir()
    write_artifacts(
        folder,
        root=clamp_times(root, epoch_s=_EPOCH_S),
        initramfs=boot.initramfs,
        kernel=boot.kernel,
        ext4=Ext4Options(
            uuid=bytes(15) + b"\1", hash_seed=bytes(16), created_s=_EPOCH_S, free_bytes=32 << 20
        ),
        blobs=store,
    )
    return folder


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
            state_folder=folder,
            reporter=Silent(),
        ),
        files=folder,
        now=datetime.now(UTC),
    )


def _root(store: Store, busybox: LockedPackage) -> FileTree:
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
    entries: dict[str, Entry] = {name: Directory(Metadata(0o755)) for name in _FOLDERS}
    entries |= {f"bin/{name}": Symlink(Metadata(0o777), b"busybox") for name in _APPLETS}
    members = tuple(Member(guest_path(path), entry) for path, entry in sorted(entries.items()))
    return overlay(overlay(FileTree(), Layer(members)), deb.data)
