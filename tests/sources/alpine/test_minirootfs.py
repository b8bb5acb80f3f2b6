"""What stays of a minirootfs that an image begins as, and what is refused to be one."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootsmith.errors import ArchiveError, ImageError, PlatformNotFound, UnsafePath
from bootsmith.model.guest_path import GuestPath, display, guest_path
from bootsmith.model.streams import BytesSource
from bootsmith.model.zstd import zstd
from bootsmith.sources.alpine.finish import finish
from bootsmith.sources.alpine.install import install
from bootsmith.sources.alpine.minirootfs import is_packed, unpacked
from bootsmith.sources.alpine.opened import OpenedApks
from bootsmith.sources.alpine.owned import read_owned
from bootsmith.sources.alpine.solver import solve
from bootsmith.sources.alpine.world import parse_world
from bootsmith.store.blobs import Store
from bootsmith.tree.contents import read_content
from bootsmith.tree.device_nodes import device_node
from bootsmith.tree.entry import (
    Device,
    Directory,
    Metadata,
    RegularFile,
    Symlink,
)
from bootsmith.tree.file_tree import FileTree, TreeBuilder
from tests.support.alpine_repository import Apk, Dir, File, Hard, Link, apk
from tests.support.image_archives import archive, file_member, link_member, other_member
from tests.support.minirootfs import changed, opened, packed, put, system
from tests.support.real_alpine import real_minirootfs, real_repository, real_universe, take_in

OLD = apk(
    name="base",
    files={
        "etc/same": b"S",
        "etc/mine": b"old",
        "etc/link": Link("same"),
        "etc/gone": b"G",
        "usr/bin": Dir(),
        "usr/bin/tool": File(b"old", 0o755),
        "usr/bin/twin": Hard("usr/bin/tool"),
        "usr/old/deep/file": b"x",
        "srv": Dir(0o750),
        "srv/mail": Dir(0o2770),
        "sbin": Link("usr/bin"),
    },
)
NEW = apk(
    name="base",
    version="2",
    files={
        "etc/same": b"S2",
        "etc/mine": b"new",
        "etc/link": Link("same"),
        "etc/gone": b"G",
        "usr/bin": Dir(),
        "usr/bin/tool": File(b"new", 0o4755),
        "srv": Dir(0o755),
        "srv/mail": Dir(0o2770),
        "sbin": Link("usr/bin"),
    },
)
WORLD = ("base", "other~2")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def text_of(tree: FileTree, path: str, store: Store) -> bytes:
    entry = tree.inode(guest_path(path))
    assert isinstance(entry, RegularFile)
    return read_content(entry.content, blobs=store)


def change(builder: TreeBuilder) -> None:
    put(builder, "etc/mine", b"mine")
    put(builder, "etc/own", b"O")
    put(builder, "opt/own/file", b"F")
    put(builder, "usr/bin/tool", b"evil")
    put(builder, "usr/bin/own", b"B")
    builder.remove(guest_path("etc/gone"))
    builder.change(guest_path("srv/mail"), Directory(Metadata(0o700, 5, 5)))
    put(builder, "srv/file", b"D")


def based(store: Store, *apks: Apk) -> FileTree:
    root = opened(packed(changed(system(store, OLD, world=WORLD), change), store), store)
    assert [str(one) for one in root.world] == list(WORLD)
    return system(store, *apks, base=root, world=WORLD)


def test_what_packages_own_is_theirs_and_the_rest_stays(store: Store) -> None:
    tree = based(store, NEW)
    assert text_of(tree, "etc/own", store) == b"O"
    assert text_of(tree, "opt/own/file", store) == b"F"
    assert text_of(tree, "usr/bin/own", store) == b"B"
    assert text_of(tree, "etc/mine", store) == b"mine"
    assert text_of(tree, "etc/mine.apk-new", store) == b"new"
    assert text_of(tree, "etc/same", store) == b"S2"
    assert guest_path("etc/same.apk-new") not in tree
    assert text_of(tree, "etc/gone", store) == b"G"  # a package's file comes again
    assert text_of(tree, "usr/bin/tool", store) == b"new"
    assert tree.inode(guest_path("usr/bin/tool")).metadata.mode == 0o4755
    assert guest_path("usr/bin/twin") not in tree
    assert guest_path("usr/old") not in tree
    assert tree.inode(guest_path("srv")).metadata.mode == 0o755
    assert tree.inode(guest_path("srv/mail")).metadata[:3] == (0o700, 5, 5)  # changed by its user
    assert isinstance(tree[guest_path("sbin")], Symlink)


def test_all_else_is_as_without_it(store: Store) -> None:
    without, tree = system(store, NEW, world=WORLD), based(store, NEW)
    kept = {
        "etc/mine", "etc/mine.apk-new", "etc/own", "opt", "opt/own", "opt/own/file",
        "srv/file", "srv/mail", "usr/bin/own",
    }  # fmt: skip
    assert {display(path) for path in {*tree} - {*without}} == kept - {"etc/mine", "srv/mail"}
    assert [display(path) for path, entry in without.items() if tree.get(path) != entry] == [
        "etc/mine", "srv/mail",
    ]  # fmt: skip


def test_the_same_packages_over_an_unchanged_base_are_nothing_new(store: Store) -> None:
    plain = system(store, OLD, world=WORLD)
    root = opened(packed(plain, store), store)
    assert system(store, OLD, base=root, world=WORLD) == plain


def test_a_folder_that_only_its_content_needs_stays_as_it_was(store: Store) -> None:
    start = changed(
        system(store, OLD, world=WORLD), lambda builder: put(builder, "usr/old/deep/own", b"x")
    )
    tree = system(store, NEW, base=opened(packed(start, store), store))
    assert [display(path) for path in tree if path.startswith(b"usr/old")] == [
        "usr/old", "usr/old/deep", "usr/old/deep/own",
    ]  # fmt: skip


def test_a_file_without_a_checksum_may_have_been_changed(store: Store) -> None:
    """As with apk: of another kind of digest nothing is known."""
    start = system(store, OLD, world=WORLD)
    database = text_of(start, "lib/apk/db/installed", store)
    for line in ("Z:Q2AAAA", "a:0:0:600"):
        lines = database.split(b"\n")
        lines[lines.index(b"R:same") + 1] = line.encode()
        other = b"\n".join(lines)
        builder = TreeBuilder(start)
        put(builder, "lib/apk/db/installed", other)
        tree = system(store, NEW, base=opened(packed(builder.build(), store), store))
        assert text_of(tree, "etc/same", store) == b"S"
        assert text_of(tree, "etc/same.apk-new", store) == b"S2"


def test_accounts_of_the_base_are_known_from_the_start(store: Store) -> None:
    passwd = b"root:x:0:0::/root:/bin/sh\nmail:x:77:78::/:/bin/false\n"
    start = changed(
        system(store, OLD, world=WORLD), lambda builder: put(builder, "etc/passwd", passwd)
    )
    mail = apk(name="mail", files={"var/mail": Dir(0o700, "mail", "root", 8, 0)})
    tree = system(store, mail, base=opened(packed(start, store), store))
    assert tree.inode(guest_path("var/mail")).metadata[:3] == (0o700, 77, 0)


# What is no minirootfs.

GOOD = {
    "etc/apk/arch": b"x86_64\n",
    "etc/apk/world": b"base\n",
    "lib/apk/db/installed": b"P:base\nV:1\nF:etc\nM:0:0:755\nR:x\na:0:0:600\n"
    b"Z:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n",
}
HOSTILE: dict[str, tuple[list[tuple[tarfile.TarInfo, bytes]], type[ImageError], str]] = {
    "a path that climbs": ([file_member("../../canary", b"x")], UnsafePath, "climbs"),
    "a path that climbs inside": ([file_member("etc/../../canary", b"x")], UnsafePath, "climbs"),
    "a hard link out": ([link_member("x", "../../etc/passwd", hard=True)], UnsafePath, "climbs"),
    "a hard link to nothing": ([link_member("x", "nowhere", hard=True)], ArchiveError, "nothing"),
    "a link out": ([link_member("opt", "../../tmp")], UnsafePath, "a link out of the root"),
    "an absolute link out": ([link_member("a/b", "/../etc")], UnsafePath, "a link out of the root"),
    "a loop": (
        [link_member("etc", "run"), link_member("run", "etc")], UnsafePath, "loop of symbolic",
    ),
    "a disk": ([other_member("dev/sda", tarfile.BLKTYPE)], ArchiveError, "a device that no root"),
    "memory called null": (
        [other_member("dev/null", tarfile.CHRTYPE)], ArchiveError, "dev/null is a device",
    ),
    "a layer": ([file_member("etc/.wh.passwd")], ArchiveError, "no whole root"),
    "an opaque layer": ([file_member("etc/.wh..wh..opq")], ArchiveError, "no whole root"),
    "a name of 300 bytes": ([file_member("x" * 300)], UnsafePath, "300 bytes"),
}  # fmt: skip
WRONG: dict[str, tuple[dict[str, bytes], type[ImageError], str]] = {
    "another architecture": ({"etc/apk/arch": b"aarch64\n"}, PlatformNotFound, "'aarch64'"),
    "no architecture": ({"etc/apk/arch": b""}, PlatformNotFound, "''"),
    "a world of nonsense": ({"etc/apk/world": b"a b<>c"}, ArchiveError, "etc/apk/world.*b<>c"),
    "a world of bytes": ({"etc/apk/world": b"\xff\xfe=\0"}, ArchiveError, "etc/apk/world"),
    "a climbing folder": ({"lib/apk/db/installed": b"P:a\nF:../x\n"}, UnsafePath, "climbs"),
    "a climbing file": ({"lib/apk/db/installed": b"P:a\nF:etc\nR:../x\n"}, ArchiveError, "line 3"),
    "no name": ({"lib/apk/db/installed": b"P:a\nF:etc\nR:\n"}, ArchiveError, "line 3"),
    "a file before its folder": ({"lib/apk/db/installed": b"P:a\nR:x\n"}, ArchiveError, "line 2"),
    "a digest before its file": (
        {"lib/apk/db/installed": b"P:a\nF:x\nZ:Q1\n"}, ArchiveError, "line 3",
    ),
    "no digest": (
        {"lib/apk/db/installed": b"P:a\nF:x\nR:y\nZ:Q1!\n"}, ArchiveError, "line 4",
    ),
    "no mode": ({"lib/apk/db/installed": b"P:a\nF:x\nM:0:0:rwx\n"}, ArchiveError, "line 3"),
    "no line": ({"lib/apk/db/installed": b"\x7fELF\0\1"}, ArchiveError, "line 1"),
    "a folder that is a file": (
        {"lib/apk/db/installed": b"P:lie\nF:etc/apk/arch\n"}, ArchiveError, "a directory of lie",
    ),
    "a file that is a folder": (
        {"lib/apk/db/installed": b"P:lie\nF:etc\nR:apk\n"}, ArchiveError, "a file of lie",
    ),
    "a world of a hundred megabytes": (
        {"etc/apk/world": b"a " * (50 << 20)}, ArchiveError, "expected at most",
    ),
}  # fmt: skip


def tar_of(files: dict[str, bytes], *others: tuple[tarfile.TarInfo, bytes]) -> bytes:
    return archive(before=[file_member(path, data) for path, data in files.items()], after=others)


def test_what_is_refused_is_otherwise_good(store: Store) -> None:
    assert len(opened(tar_of(GOOD), store).tree)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    members, kind, says = HOSTILE[name]
    store = Store(tmp_path / "deep" / "store")
    with pytest.raises(kind, match=says):
        opened(tar_of(GOOD, *members), store)
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]


@pytest.mark.parametrize("name", WRONG)
def test_a_root_that_is_wrong_or_lies_is_refused(name: str, store: Store) -> None:
    files, kind, says = WRONG[name]
    with pytest.raises(kind, match=says):
        opened(tar_of({**GOOD, **files}), store)


@pytest.mark.parametrize("path", GOOD)
def test_without_its_settings_it_is_no_root(path: str, store: Store) -> None:
    for tar in (
        tar_of({one: data for one, data in GOOD.items() if one != path}),
        tar_of(
            {one: data for one, data in GOOD.items() if one != path}, link_member(path, "/nowhere")
        ),
        tar_of(
            {one: data for one, data in GOOD.items() if one != path},
            other_member(path, tarfile.DIRTYPE),
        ),
    ):
        with pytest.raises(ArchiveError, match=f"it has no {path}"):
            opened(tar, store)


def test_a_lie_about_what_is_owned_takes_no_more_than_it_names(store: Store) -> None:
    lie = b"P:lie\nF:opt\nR:own\nF:no/such\nR:thing\nF:\nR:nothing\n\n"
    tar = tar_of({**GOOD, "lib/apk/db/installed": lie, "opt/own": b"x", "opt/other": b"y"})
    tree = opened(tar, store).tree
    assert guest_path("opt/own") not in tree
    assert text_of(tree, "opt/other", store) == b"y"


def test_devices_that_every_root_has_may_be_there(store: Store) -> None:
    start = changed(
        system(store, OLD, world=WORLD),
        lambda builder: put(builder, "dev/tty", device_node("tty", Metadata(0o666))),
    )
    tree = opened(packed(start, store), store).tree
    assert isinstance(tree[guest_path("dev/tty")], Device)


def test_a_file_that_a_container_left_for_a_device_becomes_one(store: Store) -> None:
    start = changed(
        system(store, OLD, world=WORLD), lambda builder: put(builder, "dev/console", b"")
    )
    assert isinstance(start[guest_path("dev/console")], RegularFile)
    tree = system(store, NEW, base=opened(packed(start, store), store))
    assert tree[guest_path("dev/console")] == device_node("console", Metadata(0o600))


def test_a_file_of_holes_is_not_read_to_its_end(store: Store) -> None:
    info = tarfile.TarInfo("etc/huge")
    info.pax_headers = {
        "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "etc/huge",
        "GNU.sparse.realsize": str(1 << 60),
    }  # fmt: skip
    data = b"0\n".ljust(512, b"\0")
    info.size = len(data)
    database = b"P:a\nF:etc\nR:huge\nZ:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n"
    tar = tar_of({**GOOD, "lib/apk/db/installed": database}, (info, data))
    assert guest_path("etc/huge") in opened(tar, store).tree  # changed, for all that is known


# Compression.

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "tar": lambda data: data,
    "gz": lambda data: gzip.compress(data, 1),
    "zst": lambda data: zstd.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
}


@pytest.mark.parametrize("name", PACKERS)
def test_each_form_of_the_archive_is_known_by_its_bytes(name: str) -> None:
    tar = tar_of(GOOD)
    source = BytesSource(PACKERS[name](tar))
    assert b"".join(unpacked(source)) == tar
    assert is_packed(source) is (name != "tar")


@pytest.mark.parametrize("name", ["gz", "zst", "xz"])
def test_a_bomb_is_put_out_early(name: str) -> None:
    bomb = BytesSource(PACKERS[name](bytes(96 << 20)))
    taken = 0
    with pytest.raises(ArchiveError, match="is more than"):
        for chunk in unpacked(bomb):
            taken += len(chunk)
    assert taken < 96 << 20


@pytest.mark.parametrize("name", ["gz", "zst", "xz"])
def test_one_that_is_cut_off_is_told(name: str) -> None:
    whole = PACKERS[name](tar_of(GOOD))
    with pytest.raises(ArchiveError, match=r"cut off|damaged"):
        list(unpacked(BytesSource(whole[: len(whole) // 2])))


@pytest.mark.parametrize("data", [b"", b"MZ" + bytes(5000), b"\x89PNG\r\n" * 200])
def test_what_is_no_archive_is_told(data: bytes, store: Store) -> None:
    with pytest.raises(ArchiveError):
        opened(b"".join(unpacked(BytesSource(data))), store)


# The database.


@given(st.binary(max_size=200))
def test_whatever_stands_there_a_database_is_read_or_refused(data: bytes) -> None:
    try:
        found = read_owned(b"P:a\nF:etc\nR:x\n" + data)
    except ArchiveError:
        return
    assert not [
        path
        for folder in found
        for path in (folder.path, *folder.files)
        if b".." in path.split(b"/")
    ]


def test_a_database_comes_back(store: Store) -> None:
    tree = system(store, OLD)
    folders = {
        display(folder.path): folder
        for folder in read_owned(text_of(tree, "lib/apk/db/installed", store))
    }
    assert folders["srv/mail"].metadata == Metadata(0o2770)
    assert {folder.package for folder in folders.values()} == {"base"}
    found = {
        display(path): digest
        for folder in folders.values()
        for path, digest in folder.files.items()
    }
    assert len(found) == 8
    checksum = found["etc/mine"]
    assert checksum is not None
    assert checksum.hex == hashlib.sha1(b"old").hexdigest()


# The real one.


def test_the_real_minirootfs_leaves_what_no_package_owns(store: Store) -> None:
    """Whole systems: over it, and out of nothing."""
    with tarfile.open(real_minirootfs()) as tar:
        names = {member.name.removeprefix("./") for member in tar if not member.isdir()}
        buffer = tar.extractfile("./lib/apk/db/installed")
        assert buffer is not None
        database = io.TextIOWrapper(buffer, "utf-8").read()
    data = real_minirootfs().read_bytes()
    root = opened(b"".join(unpacked(BytesSource(data))), store)
    solution = solve(
        real_universe(store), parse_world([*map(str, root.world), "alpine-base", "openssh"])
    )
    chosen = take_in(solution.packages, real_repository(), store)
    apks = OpenedApks(store).open(chosen)

    def made(base: FileTree | None, returned: frozenset[GuestPath]) -> FileTree:
        laid = install(apks, blobs=store, base=base, returned=returned, tags=solution.tags)
        return finish(
            laid, arch="x86_64", world=solution.world, repositories=(), keys={}, epoch_s=0,
            blobs=store,
        )  # fmt: skip

    over, alone = made(root.tree, root.returned), made(None, frozenset())
    folder, owned = "", set()
    for line in database.split("\n"):
        if line.startswith("F:"):
            folder = f"{line[2:]}/" if line[2:] else ""
        elif line.startswith("R:"):
            owned.add(folder + line[2:])
    more = {display(path) for path in over if path not in alone}
    # The release files are alpine-release's in a whole system, and lie there already.
    beside = {f"etc/{name}.apk-new" for name in ("alpine-release", "os-release", "shadow")}
    assert more - beside == names - owned - set(map(display, alone))
    assert more >= beside
    theirs = [display(path) for path, entry in alone.items() if over.get(path) != entry]
    assert theirs == [
        "etc/alpine-release", "etc/issue", "etc/os-release", "etc/secfixes.d",
        "etc/secfixes.d/alpine", "etc/shadow",
    ]  # fmt: skip
