"""Whole systems of real packages, as apk installs them and as we do."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootsmith.host.namespaces import namespace_support
from bootsmith.model.guest_path import GuestPath, display, guest_path
from bootsmith.sandbox.executor import SandboxJob
from bootsmith.sandbox.namespace import NamespaceExecutor
from bootsmith.sources.alpine.configure import configuration
from bootsmith.sources.alpine.finish import finish
from bootsmith.sources.alpine.install import Installation, install, settle_owners
from bootsmith.sources.alpine.solver import Solution, solve
from bootsmith.sources.alpine.unpacked import unpack_apks
from bootsmith.sources.alpine.world import parse_world
from bootsmith.store.blobs import Store
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import Device, Directory, HardLink, Inode, RegularFile, Symlink
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import overlay
from tests.support.judges import unavailable
from tests.support.real_alpine import RealApk, real_repository, real_universe, take_in

WORLD = (
    "alpine-base", "openssh", "chrony", "e2fsprogs-extra", "wpa_supplicant", "tiny-cloud-alpine",
    "dhcpcd", "doas", "tzdata",
)  # fmt: skip
EPOCH = 1_900_000_000

pytestmark = [pytest.mark.judge, pytest.mark.root]

_KINDS = {
    Directory: stat.S_ISDIR,
    RegularFile: stat.S_ISREG,
    Symlink: stat.S_ISLNK,
    Device: stat.S_ISCHR,
}


def laid_out(store: Store) -> tuple[Solution, Installation]:
    solution = solve(real_universe(store), parse_world(WORLD))
    chosen = take_in(solution.packages, real_repository(), store)
    return solution, install(unpack_apks(chosen, store=store), blobs=store, tags=solution.tags)


def finished(solution: Solution, laid: Installation, store: Store) -> FileTree:
    return finish(
        laid,
        arch="x86_64",
        world=solution.world,
        repositories=(),
        keys={},
        epoch_s=EPOCH,
        blobs=store,
    )


def differences(root: Path, tree: FileTree, store: Store) -> Iterator[str]:
    """Every path that differs between a folder and a tree, and how."""
    real = {
        GuestPath(os.fsencode(path.relative_to(root))): path
        for folder, folders, files in os.walk(root)
        for path in (Path(folder, name) for name in (*folders, *files))
    }
    for path in sorted({*real, *tree}):
        if not path:
            continue
        if path not in real or path not in tree:
            yield f"{display(path)}: only {'apk' if path in real else 'ours'}"
            continue
        yield from (
            f"{display(path)}: {what}" for what in _differs(real[path], tree.inode(path), store)
        )
    names = {path for path in tree if isinstance(tree[path], HardLink)}
    linked = {path for path, one in real.items() if one.is_file() and one.lstat().st_nlink > 1}
    firsts = {entry.target for path in names if isinstance(entry := tree[path], HardLink)}
    yield from (f"{display(path)}: links" for path in linked ^ (names | firsts))


def _differs(real: Path, entry: Inode, store: Store) -> Iterator[str]:
    status, metadata = real.lstat(), entry.metadata
    if not _KINDS[type(entry)](status.st_mode):
        yield "type"
        return
    if (metadata.uid, metadata.gid) != (status.st_uid, status.st_gid):
        yield f"owner {metadata.uid}:{metadata.gid}, not {status.st_uid}:{status.st_gid}"
    if isinstance(entry, Symlink):
        if os.fsencode(real.readlink()) != entry.target:
            yield f"target {entry.target!r}"
        return
    if metadata.mode != stat.S_IMODE(status.st_mode):
        yield f"mode {metadata.mode:o}, not {stat.S_IMODE(status.st_mode):o}"
    if isinstance(entry, RegularFile) and real.read_bytes() != read_content(
        entry.content, blobs=store
    ):
        yield "content"
    if isinstance(entry, Device):
        number = os.makedev(entry.major, entry.minor)
        if number != status.st_rdev:
            yield f"device {entry.major}:{entry.minor}"


def _in_its_place(installed: str) -> str:
    """apk writes ``r:`` of a package that has no folders into the next one that has some."""
    moved = "D:alpine-baselayout-data=3.4.3-r2 /bin/sh\nr:alpine-baselayout\n"
    assert moved in installed
    right = installed.replace(moved, moved.split("\n", maxsplit=1)[0] + "\n")
    before, name, after = right.partition("P:alpine-base\n")
    return before + name + after.replace("\n\n", "\nr:alpine-baselayout\n\n", 1)


def test_without_scripts(tmp_path: Path) -> None:
    """Every file, owner, mode, link and device; the database to the byte."""
    apk, store = RealApk.unpack(tmp_path / "minirootfs"), Store(tmp_path / "store")
    apk.offer_folder("real", real_repository())
    root = apk.install(WORLD, ["/real"], "--no-scripts")
    solution, laid = laid_out(store)
    tree = finished(solution, laid, store)
    installed = root / "lib/apk/db/installed"
    installed.write_text(_in_its_place(installed.read_text()))
    assert list(differences(root, tree, store)) == [
        "etc/apk/repositories: only ours",
        "lib/apk/exec: mode 700, not 755",  # apk makes it for the first script that runs
    ]


def test_the_images_own_apk_accepts_it(tmp_path: Path) -> None:
    """``apk audit``, ``apk info`` and ``apk fix`` inside, as on a system apk installed itself."""
    apk, store = RealApk.unpack(tmp_path / "minirootfs"), Store(tmp_path / "store")
    apk.offer_folder("real", real_repository())
    root = apk.install(WORLD, ["/real"], "--no-scripts")
    solution, laid = laid_out(store)
    tree = finished(solution, laid, store)
    for name in ("installed", "scripts.tar", "triggers"):
        entry = tree.inode(guest_path(f"lib/apk/db/{name}"))
        assert isinstance(entry, RegularFile)
        (root / "lib/apk/db" / name).write_bytes(read_content(entry.content, blobs=store))
    at_root = ("--root", "/installed")
    assert apk.says("apk", "audit", "--system", *at_root) == ""
    listed = apk.says("apk", "info", "-v", *at_root).split()
    assert sorted(listed) == sorted(one.full_name for one in solution.packages)
    assert "OK: " in apk.says(
        "apk", "fix", "--simulate", "--no-network", *at_root, "--repositories-file", "/none",
        "--repository", "/real", "--keys-dir", "/etc/apk/keys",
    )  # fmt: skip
    # Sabotage: the audit does look.
    (root / "bin/busybox").write_bytes(b"changed")
    assert "bin/busybox" in apk.says("apk", "audit", "--system", *at_root)


def test_with_scripts(tmp_path: Path) -> None:
    """The scripts run in the sandbox; what is left differs only in what a clock decides."""
    support = namespace_support()
    if support.kind == "none":
        unavailable(support.reason)
    apk, store = RealApk.unpack(tmp_path / "minirootfs"), Store(tmp_path / "store")
    apk.offer_folder("real", real_repository())
    root = apk.install(WORLD, ["/real"])
    solution, laid = laid_out(store)
    executor = NamespaceExecutor(work_folder=tmp_path / "work", kind=support.kind)
    (tmp_path / "work").mkdir()
    work = configuration(laid.packages)
    job = SandboxJob(commands=work.commands, files=work.files, hostname="guest")
    changed = executor.run(laid.tree, job, blobs=store, on_output=lambda *_: None)
    tree = overlay(laid.tree, changed.layer)
    tree = finished(solution, settle_owners(laid, tree, blobs=store), store)
    installed = root / "lib/apk/db/installed"
    installed.write_text(_in_its_place(installed.read_text()))
    assert list(differences(root, tree, store)) == ["etc/apk/repositories: only ours"]
