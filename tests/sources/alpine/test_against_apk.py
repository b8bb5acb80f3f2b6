"""Whole systems of real packages, as apk installs them and as we do."""

from __future__ import annotations

import io
import tarfile
from functools import partial
from pathlib import Path

import pytest

from bootsmith.host.namespaces import namespace_support
from bootsmith.host.sandbox.process import SandboxProcess
from bootsmith.model.guest_path import guest_path
from bootsmith.sandbox.executor import SandboxJob
from bootsmith.sandbox.namespace import NamespaceExecutor
from bootsmith.sources.alpine.configure import configuration
from bootsmith.sources.alpine.finish import finish
from bootsmith.sources.alpine.install import Installation, install, settle_owners
from bootsmith.sources.alpine.opened import OpenedApks
from bootsmith.sources.alpine.solver import Solution, solve
from bootsmith.sources.alpine.world import parse_world
from bootsmith.store.blobs import Store
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import RegularFile
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import overlay
from tests.support.apk_differences import differences, owners_in_place
from tests.support.judges import unavailable
from tests.support.minirootfs import opened
from tests.support.real_alpine import RealApk, real_repository, real_universe, take_in

WORLD = (
    "alpine-base", "openssh", "chrony", "e2fsprogs-extra", "wpa_supplicant", "tiny-cloud-alpine",
    "dhcpcd", "doas", "tzdata",
)  # fmt: skip
EPOCH = 1_900_000_000

pytestmark = [pytest.mark.judge, pytest.mark.root]


def laid_out(store: Store) -> tuple[Solution, Installation]:
    solution = solve(real_universe(store), parse_world(WORLD))
    chosen = take_in(solution.packages, real_repository(), store)
    return solution, install(OpenedApks(store).open(chosen), blobs=store, tags=solution.tags)


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


def test_without_scripts(tmp_path: Path) -> None:
    """Every file, owner, mode, link and device; the database to the byte."""
    apk, store = RealApk.unpack(tmp_path / "minirootfs"), Store(tmp_path / "store")
    apk.offer_folder("real", real_repository())
    root = apk.install(WORLD, ["/real"], "--no-scripts")
    solution, laid = laid_out(store)
    tree = finished(solution, laid, store)
    installed = root / "lib/apk/db/installed"
    installed.write_text(owners_in_place(installed.read_text()))
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


def test_over_a_minirootfs_that_was_changed(tmp_path: Path) -> None:
    """What stays of it, and what lies beside, is what apk leaves when it upgrades it."""
    apk, store = RealApk.unpack(tmp_path / "minirootfs"), Store(tmp_path / "store")
    apk.offer_folder("real", real_repository())
    root = apk.begin_with_minirootfs()
    for path, text in {
        "etc/motd": "mine\n", "etc/profile.d/README": "mine\n", "etc/modprobe.d/mine.conf": "x\n",
        "usr/bin/scanelf": "changed\n", "srv/data": "x\n", "media/usb/data": "x\n",
    }.items():  # fmt: skip
        (root / path).write_text(text)
    (root / "etc/modprobe.d/aliases.conf").unlink()
    (root / "root").chmod(0o755)
    (root / "media/usb").chmod(0o700)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(root, ".")
    base = opened(buffer.getvalue(), store)
    apk.put_in_place_anew(["/real"])
    solution = solve(real_universe(store), base.world)
    apks = OpenedApks(store).open(take_in(solution.packages, real_repository(), store))
    laid = install(apks, blobs=store, base=base.tree, returned=base.returned, tags=solution.tags)
    assert list(differences(root, finished(solution, laid, store), store)) == [
        *(f"dev/{name}: only ours" for name in ("console", "null", "random", "urandom", "zero")),
        "etc/apk/repositories: content",
        "lib/apk/db/installed: content",  # apk tells twice what a package replaces
        "lib/apk/db/scripts.tar: content",  # in another order
        "lib/apk/exec: mode 700, not 755",
    ]


def test_with_scripts(tmp_path: Path) -> None:
    """The scripts run in the sandbox; what is left differs only in what a clock decides."""
    support = namespace_support()
    if support.kind == "none":
        unavailable(support.reason)
    apk, store = RealApk.unpack(tmp_path / "minirootfs"), Store(tmp_path / "store")
    apk.offer_folder("real", real_repository())
    root = apk.install(WORLD, ["/real"])
    solution, laid = laid_out(store)
    executor = NamespaceExecutor(
        start=partial(SandboxProcess, tmp_path / "work"), kind=support.kind
    )
    (tmp_path / "work").mkdir()
    work = configuration(laid.packages)
    job = SandboxJob(commands=work.commands, files=work.files, hostname="guest")
    changed = executor.run(laid.tree, job, blobs=store, on_output=lambda *_: None)
    tree = overlay(laid.tree, changed.layer)
    tree = finished(solution, settle_owners(laid, tree, blobs=store), store)
    installed = root / "lib/apk/db/installed"
    installed.write_text(owners_in_place(installed.read_text()))
    assert list(differences(root, tree, store)) == ["etc/apk/repositories: only ours"]
