"""The last edits of a tree."""

from __future__ import annotations

import pytest

from bootsmith.model.guest_path import GuestPath, guest_path
from bootsmith.sources.debian.archive import Repository
from bootsmith.sources.debian.finish import apt_sources, finish
from bootsmith.sources.debian.mirror import DEBIAN, DEBIAN_SECURITY
from bootsmith.tree.entry import (
    Device,
    Directory,
    InlineBytes,
    Metadata,
    RegularFile,
    Symlink,
)
from bootsmith.tree.file_tree import FileTree, TreeBuilder
from tests.support.memory_blobs import MemoryBlobs

EPOCH = 1_700_000_000
DAY = EPOCH // 86_400
REPOSITORIES = (
    Repository(archive=DEBIAN, suite="bookworm", components=("main", "contrib")),
    Repository(archive=DEBIAN, suite="bookworm-updates", components=("main", "contrib")),
    Repository(archive=DEBIAN_SECURITY, suite="bookworm-security"),
)
KEYRING = "usr/share/keyrings/debian-archive-keyring.gpg"


def tree_of(files: dict[str, bytes | None], *, mode: int = 0o640) -> FileTree:
    """Files by path, folders where the content is ``None``."""
    builder = TreeBuilder()
    for path, content in files.items():
        place = guest_path(path)
        if content is None:
            builder.ensure_directory(place)
            continue
        builder.ensure_directory(GuestPath(place.rpartition(b"/")[0]))
        builder.put(place, RegularFile(Metadata(mode, 3, 4, 5), InlineBytes(content)))
    return builder.build()


def finished(files: dict[str, bytes | None]) -> FileTree:
    return finish(tree_of(files), REPOSITORIES, epoch_s=EPOCH, blobs=MemoryBlobs())


def content(tree: FileTree, path: str) -> bytes:
    entry = tree[guest_path(path)]
    assert isinstance(entry, RegularFile)
    assert isinstance(entry.content, InlineBytes)
    return entry.content.data


def test_an_empty_tree_gets_only_what_every_root_has() -> None:
    tree = finished({})
    assert [path for path in tree if path.count(b"/") == 0] == [b"", b"dev", b"etc", b"run"]
    assert content(tree, "etc/fstab") == b"# UNCONFIGURED FSTAB FOR BASE SYSTEM\n"
    assert tree[guest_path("dev/null")] == Device(
        Metadata(0o666, mtime_ns=EPOCH * 10**9), is_block=False, major=1, minor=3
    )
    lock = tree[guest_path("run/lock")]
    assert isinstance(lock, Directory)
    assert lock.metadata.mode == 0o1777


GONE = (
    "var/cache/ldconfig/aux-cache",
    "var/lib/dbus/machine-id",
    "var/lib/dpkg/status-old",
    "var/cache/debconf/templates.dat-old",
    "var/cache/apt/pkgcache.bin",
    "var/cache/apt/archives/x_1_all.deb",
    "var/lib/apt/lists/mirror_dists_bookworm_InRelease",
    "var/log/dpkg.log",
    "var/log/apt/history.log",
    "var/tmp/left",
)
KEPT = (
    "var/cache/debconf/templates.dat",
    "var/lib/dpkg/status",
    "etc/passwd-",
    "var/lib/x",
)


def test_what_only_the_build_needed_is_gone() -> None:
    tree = finished(dict.fromkeys((*GONE, *KEPT), b"x"))
    assert [path for path in GONE if guest_path(path) in tree] == []
    assert [path for path in KEPT if guest_path(path) not in tree] == []
    assert guest_path("var/cache/apt/archives") in tree
    assert guest_path("var/log/apt") in tree


def test_an_empty_log_stays_for_its_owner() -> None:
    tree = finished({"var/log/wtmp": b""})
    assert content(tree, "var/log/wtmp") == b""


def test_the_machine_id_is_emptied_and_not_made() -> None:
    assert content(finished({"etc/machine-id": b"0123\n"}), "etc/machine-id") == b""
    assert guest_path("etc/machine-id") not in finished({})


def test_no_password_is_younger_than_the_build() -> None:
    text = f"root:*:{DAY + 500}:0:99999:7:::\nold:!:100:0:::::\nnone:*::0:::::\n+nis\n"
    tree = finished({"etc/shadow": text.encode(), "etc/shadow-": text.encode()})
    expected = f"root:*:{DAY}:0:99999:7:::\nold:!:100:0:::::\nnone:*::0:::::\n+nis\n"
    assert content(tree, "etc/shadow").decode() == expected
    assert content(tree, "etc/shadow-").decode() == expected
    entry = tree[guest_path("etc/shadow")]
    assert isinstance(entry, RegularFile)
    assert entry.metadata == Metadata(0o640, 3, 4, 5)


def test_apt_downloads_as_its_own_user() -> None:
    partial = "var/lib/apt/lists/partial"
    tree = finished({partial: None, "etc/passwd": b"_apt:x:42:65534::/nonexistent:/bin/false\n"})
    entry = tree[guest_path(partial)]
    assert isinstance(entry, Directory)
    assert (entry.metadata.mode, entry.metadata.uid) == (0o700, 42)
    untouched = finished({partial: None})[guest_path(partial)]
    assert isinstance(untouched, Directory)
    assert untouched.metadata.mode == 0o755


def test_the_sources_name_the_public_mirrors() -> None:
    assert apt_sources(REPOSITORIES, signed_by="/k.gpg") == (
        "Types: deb\nURIs: http://ftp.debian.org/debian\n"
        "Suites: bookworm bookworm-updates\nComponents: main contrib\nSigned-By: /k.gpg\n"
        "\n"
        "Types: deb\nURIs: http://security.debian.org/debian-security\n"
        "Suites: bookworm-security\nComponents: main\nSigned-By: /k.gpg\n"
    )


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"etc/apt/sources.list.d": None}, False),
        ({"etc/apt/sources.list.d": None, KEYRING: b"k"}, True),
        ({"etc/apt/sources.list.d": None, KEYRING.replace(".gpg", ".pgp"): b"k"}, True),
    ],
)
def test_sources_only_where_apt_is(
    files: dict[str, bytes | None], *, expected: bool | None
) -> None:
    tree = finished(files)
    place = guest_path("etc/apt/sources.list.d/debian.sources")
    assert (place in tree) is (expected is not None)
    if expected is not None:
        assert (b"Signed-By: /usr/share/keyrings/" in content(tree, place.decode())) is expected


def test_what_is_there_already_stays() -> None:
    files: dict[str, bytes | None] = {
        "etc/fstab": b"own\n",
        "etc/apt/sources.list.d/debian.sources": b"own\n",
        "dev/null": b"own\n",
    }
    tree = finished(files)
    assert [content(tree, path) for path in files] == [b"own\n"] * 3


def test_links_on_the_way_are_followed() -> None:
    builder = TreeBuilder()
    builder.ensure_directory(guest_path("var/run"))
    builder.put(guest_path("run"), Symlink(Metadata(0o777), b"var/run"))
    tree = finish(builder.build(), REPOSITORIES, epoch_s=EPOCH, blobs=MemoryBlobs())
    assert guest_path("var/run/lock") in tree
    assert isinstance(tree[guest_path("run")], Symlink)


def test_finishing_twice_changes_nothing() -> None:
    once = finished(dict.fromkeys((*GONE, *KEPT, "etc/shadow"), b"root:*:99999:0:::::\n"))
    assert finish(once, REPOSITORIES, epoch_s=EPOCH, blobs=MemoryBlobs()) == once
