"""dpkg's database, as dpkg itself reads it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bootsmith.model.guest_path import GuestPath, guest_path
from bootsmith.sources.debian.control import parse_paragraph
from bootsmith.sources.debian.deb import ControlArchive, ControlFile
from bootsmith.sources.debian.dpkg_database import add_database, info_name
from bootsmith.tree.entry import Directory, InlineBytes, RegularFile
from bootsmith.tree.file_tree import FileTree, TreeBuilder
from tests.support.judges import judge, require


def control(text: str, **files: bytes) -> ControlArchive:
    return ControlArchive(
        text=text.encode(),
        fields=parse_paragraph(text.encode()),
        files={name: ControlFile(content=data, mode=0o644) for name, data in files.items()},
    )


A = control(
    "Package: a\nVersion: 1.0-1\nArchitecture: amd64\nMulti-Arch: same\n"
    "Maintainer: Übersetzer <x@example.org>\nSection: libs\nX-Own: kept\n"
    "Description: synopsis with a blank at its end \n line one\n .\n  indented\n"
    "Depends: b\nPriority: optional\n",
    conffiles=b"/etc/a.conf\nremove-on-upgrade /etc/gone.conf\n",
    triggers=b"interest-noawait /usr/share/a\ninterest named\nactivate other\n",
)
B = control(
    "Package: b\nVersion: 2\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: b\n",
    triggers=b"# comment\ninterest-await named\ninterest /usr/share/a\n",
)
PACKAGES = [
    (B, [GuestPath(b""), GuestPath(b"usr"), GuestPath(b"usr/b")]),
    (A, [GuestPath(b""), GuestPath(b"etc"), GuestPath(b"etc/a.conf")]),
]


@pytest.fixture
def tree() -> FileTree:
    builder = TreeBuilder()
    add_database(builder, PACKAGES, arch="amd64")
    return builder.build()


def text(tree: FileTree, path: str) -> str:
    entry = tree[guest_path(f"var/lib/dpkg/{path}")]
    assert isinstance(entry, RegularFile)
    assert isinstance(entry.content, InlineBytes)
    return entry.content.data.decode()


def test_the_status_is_the_packages_own_words(tree: FileTree) -> None:
    assert text(tree, "status") == (
        "Package: a\nStatus: install ok unpacked\nPriority: optional\nSection: libs\n"
        "Maintainer: Übersetzer <x@example.org>\nArchitecture: amd64\nMulti-Arch: same\n"
        "Version: 1.0-1\nDepends: b\nConffiles:\n /etc/a.conf newconffile\n"
        " /etc/gone.conf newconffile remove-on-upgrade\n"
        "Description: synopsis with a blank at its end \n line one\n .\n  indented\n"
        "X-Own: kept\n"
        "\n"
        "Package: b\nStatus: install ok unpacked\nMaintainer: x <x@example.org>\n"
        "Architecture: all\nVersion: 2\nDescription: b\n\n"
    )


def test_the_files_of_a_package(tree: FileTree) -> None:
    assert (info_name(A), info_name(B)) == ("a:amd64", "b")
    assert text(tree, "info/a:amd64.list") == "/.\n/etc\n/etc/a.conf\n"
    assert text(tree, "info/b.list") == "/.\n/usr\n/usr/b\n"
    assert text(tree, "info/a:amd64.conffiles").startswith("/etc/a.conf\n")
    assert text(tree, "info/format") == "1\n"
    assert text(tree, "arch") == "amd64\n"


def test_who_waits_for_which_trigger(tree: FileTree) -> None:
    assert text(tree, "triggers/File") == "/usr/share/a a:amd64/noawait\n/usr/share/a b\n"
    assert text(tree, "triggers/named") == "a:amd64\nb\n"
    assert guest_path("var/lib/dpkg/triggers/other") not in tree


@pytest.fixture
def admin(tree: FileTree, tmp_path: Path) -> Path:
    """The database on disk."""
    for path, entry in tree.items():
        place = tmp_path / path.decode()
        if isinstance(entry, Directory):
            place.mkdir(exist_ok=True)
        elif isinstance(entry, RegularFile) and isinstance(entry.content, InlineBytes):
            place.write_bytes(entry.content.data)
    return tmp_path / "var/lib/dpkg"


@pytest.mark.judge
def test_dpkg_reads_it(admin: Path) -> None:
    require("dpkg-query")
    shown = judge(
        "dpkg-query",
        f"--admindir={admin}",
        "--show",
        "-f",
        "${Package} ${Version} ${db:Status-Abbrev}\n",
    )
    assert shown == "a 1.0-1 iU \nb 2 iU \n"
    assert judge("dpkg-query", f"--admindir={admin}", "--listfiles", "b") == "/.\n/usr\n/usr/b\n"
    assert judge("dpkg-query", f"--admindir={admin}", "--control-list", "a:amd64") == ("triggers\n")


@pytest.mark.judge
def test_dpkg_would_write_the_same(admin: Path) -> None:
    """A change and its undoing make dpkg write the status anew, in its own order and form."""
    require("dpkg")
    before = (admin / "status").read_bytes()
    for state in (b"hold", b"install"):
        subprocess.run(
            ["dpkg", f"--admindir={admin}", "--force-not-root", "--set-selections"],
            input=b"b %s\n" % state,
            check=True,
            capture_output=True,
        )
        assert (admin / "status").read_bytes().count(b"b\nStatus: %s " % state) == 1
    assert (admin / "status").read_bytes() == before
