"""The judge: what comes out must be what mmdebstrap makes of the same packages."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from bootsmith.host.files import FileSource
from bootsmith.model.guest_command import GuestCommand
from bootsmith.model.guest_path import guest_path
from bootsmith.model.streams import chunks
from bootsmith.sandbox.executor import SandboxJob
from bootsmith.sources.debian.configure import ENVIRONMENT
from bootsmith.store.blobs import Store
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import InlineBytes, RegularFile
from bootsmith.tree.file_tree import FileTree, TreeBuilder
from bootsmith.tree.layer import overlay, read_layer
from bootsmith.tree.normalise import set_metadata
from tests.sandbox.conftest import Sandbox, make_sandbox
from tests.support.debian_repository import deb
from tests.support.debian_root import Printed, configured_root
from tests.support.mmdebstrap import reference
from tests.support.tree_comparison import differences

pytestmark = [pytest.mark.judge, pytest.mark.network]

# Paths that may differ, and why.  A row that no path needs any more fails the test.
MAY_DIFFER = {
    "etc/hostname": "mmdebstrap copies the build machine's",
    "etc/resolv.conf": "mmdebstrap copies the build machine's",
    "etc/apt/sources.list*": "ours names the public mirror, mmdebstrap's the one that was used",
    "etc/ssh/ssh_host_*": "an image must not bring keys: every machine makes its own",
    "etc/shadow*": "passwords were set on the day of SOURCE_DATE_EPOCH, not on that of the build",
    "etc/shells": "the same lines; mmdebstrap's come before and after /usr is merged",
    "usr/bin/uncompress": "one file with gunzip; mmdebstrap's usrmerge moves them by a copy each",
    "var/cache/apt/archives/lock": "made by apt, which we do not run",
    "var/lib/apt/lists/lock": "made by apt, which we do not run",
    "var/lib/apt/extended_states": "apt's record of what it chose itself; we do not run it",
    "var/cache/debconf/*-old": "the last state but one",
    "var/lib/dpkg/*-old": "the last state but one",
}


@dataclass(frozen=True, slots=True)
class Roots:
    ours: FileTree
    theirs: FileTree
    store: Store
    sandbox: Sandbox
    debs: tuple[Path, ...]
    printed: Printed


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Roots:
    folder = reference(tmp_path_factory, worker_id)
    work = tmp_path_factory.mktemp("roots")
    store, sandbox, printed = Store(work / "store"), make_sandbox(work), Printed()
    with FileSource(folder / "root.tar") as archive:
        kept = store.add_blob(chunks(archive, 0, archive.size_bytes))
    theirs = overlay(FileTree(), read_layer(store.open_blob(kept.digest), kept.digest))
    debs = tuple(sorted((folder / "archives").glob("*.deb")))
    ours = configured_root(debs, store=store, executor=sandbox.executor, printed=printed)
    return Roots(ours, theirs, store, sandbox, debs, printed)


def test_the_tree_is_mmdebstraps(roots: Roots) -> None:
    unused = set(MAY_DIFFER)
    unexpected = []
    for path, what in differences(roots.ours, roots.theirs, roots.store):
        row = next((row for row in MAY_DIFFER if fnmatchcase(path, row)), None)
        if row is None:
            unexpected.append(f"{path}: {what}")
        unused.discard(row or "")
    assert not unexpected
    assert not unused


@pytest.mark.parametrize(
    ("path", "fact"),
    [
        ("etc/shells", lambda text: sorted(text.split("\n"))),
        ("etc/shadow", lambda text: re.sub(r"(?m)^([^:]+:[^:]*):\d+:", r"\1:", text)),
        ("etc/shadow-", lambda text: re.sub(r"(?m)^([^:]+:[^:]*):\d+:", r"\1:", text)),
    ],
)
def test_a_file_that_may_differ_says_the_same(
    roots: Roots, path: str, fact: Callable[[str], object]
) -> None:
    ours, theirs = (_text(tree, path, roots.store) for tree in (roots.ours, roots.theirs))
    assert fact(ours) == fact(theirs)


@pytest.mark.parametrize("harm", ["content", "mode", "owner", "gone", "more", "type"])
def test_the_comparison_sees_every_harm(roots: Roots, harm: str) -> None:
    builder = TreeBuilder(roots.theirs)
    path = guest_path("etc/adduser.conf")
    entry = builder.get(path)
    assert isinstance(entry, RegularFile)
    match harm:
        case "content":
            builder.put(path, entry._replace(content=InlineBytes(b"harm")))
        case "mode":
            set_metadata(builder, path, mode=0o600)
        case "owner":
            set_metadata(builder, path, gid=1)
        case "gone":
            builder.remove(path)
        case "more":
            path = guest_path("etc/harm")
            builder.put(path, entry)
        case "type":
            builder.remove(path)
            builder.ensure_directory(path)
    found = dict(differences(roots.theirs, builder.build(), roots.store))
    assert list(found) == [path.decode()]


def test_every_package_is_installed(roots: Roots) -> None:
    status = _text(roots.ours, "var/lib/dpkg/status", roots.store)
    assert status.count("Package: ") == len(roots.debs) > 100
    assert set(re.findall(r"^Status: (.*)$", status, re.MULTILINE)) == {"install ok installed"}


@pytest.mark.parametrize("question", ["dpkg --audit", "dpkg --verify", "apt-get check -qq"])
def test_dpkg_and_apt_find_nothing_wrong(roots: Roots, question: str) -> None:
    command = GuestCommand(argv=("sh", "-c", question), label=question, env=ENVIRONMENT)
    printed = Printed()
    roots.sandbox.executor.run(
        roots.ours, SandboxJob(commands=(command,)), blobs=roots.store, on_output=printed
    )
    assert printed.lines == {}


def test_two_builds_are_equal(roots: Roots) -> None:
    again = configured_root(
        roots.debs, store=roots.store, executor=roots.sandbox.executor, printed=Printed()
    )
    assert dict(differences(roots.ours, again, roots.store, times=True)) == {}


def test_a_package_that_diverts_anothers_file(roots: Roots, tmp_path: Path) -> None:
    """It goes through dpkg itself, and stands in the place of the other's file."""
    made = deb(
        name="diverter",
        files={"/usr/share/doc/adduser/copyright": b"own\n"},
        control_files={"preinst": _DIVERTING},
    )
    package = tmp_path / "diverter.deb"
    package.write_bytes(made.data)
    printed = Printed()
    tree = configured_root(
        (*roots.debs, package), store=roots.store, executor=roots.sandbox.executor, printed=printed
    )
    assert "Unpacking diverter (1.0) ..." in printed.lines["dpkg --unpack"]
    place = "usr/share/doc/adduser/copyright"
    assert _text(tree, place, roots.store) == "own\n"
    assert _text(tree, f"{place}.real", roots.store) == _text(roots.ours, place, roots.store)
    assert guest_path("var/cache/apt/archives/diverter.deb") not in tree


_DIVERTING = b"""\
#!/bin/sh
set -e
file=/usr/share/doc/adduser/copyright
dpkg-divert --package diverter --add --rename --divert $file.real $file
"""


def test_the_output_names_every_package(roots: Roots) -> None:
    said = "\n".join(roots.printed.lines["dpkg --configure"])
    assert said.count("Setting up ") == len(roots.debs)


def _text(tree: FileTree, path: str, store: Store) -> str:
    entry = tree.inode(guest_path(path))
    assert isinstance(entry, RegularFile)
    return read_content(entry.content, blobs=store).decode()
