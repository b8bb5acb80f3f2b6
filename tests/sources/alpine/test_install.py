"""Packages laid out as apk lays them out, and its database."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootsmith.errors import ArchiveError
from bootsmith.model.guest_path import GuestPath, display, guest_path
from bootsmith.sources.alpine.finish import finish
from bootsmith.sources.alpine.install import Installation, install, prepared, settle_owners
from bootsmith.sources.alpine.mirror import Repository
from bootsmith.sources.alpine.world import parse_world
from bootsmith.store.blobs import Store
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import (
    Device,
    Directory,
    HardLink,
    InlineBytes,
    Metadata,
    RegularFile,
    Symlink,
)
from bootsmith.tree.file_tree import FileTree, TreeBuilder
from tests.support.alpine_repository import Apk, Dir, File, Hard, Link, Node, apk
from tests.support.minirootfs import unpacked

PASSWD = b"root:x:0:0::/root:/bin/sh\ndaemon:x:2:2::/:/sbin/nologin\n"
GROUP = b"root:x:0:\nwheel:x:10:\n"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def lay(store: Store, *apks: Apk, base: FileTree | None = None) -> Installation:
    return install(unpacked(store, *apks), blobs=store, base=base)


def shown(tree: FileTree, store: Store) -> dict[str, str]:
    """What is there besides what apk makes first, in words."""
    first = prepared()
    found = {}
    for path, entry in tree.items():
        if path in first:
            continue
        match entry:
            case HardLink(target):
                found[display(path)] = f"= {display(target)}"
            case Symlink(_, link):
                found[display(path)] = f"-> {display(link)}"
            case Directory((mode, uid, gid, _, _)):
                found[display(path)] = f"{mode:o} {uid}:{gid}"
            case RegularFile((mode, uid, gid, _, _), content):
                text = read_content(content, blobs=store).decode()
                found[display(path)] = f"{mode:o} {uid}:{gid} {text}"
            case Device():
                found[display(path)] = "device"
    return found


def database(installation: Installation, store: Store, name: str = "installed") -> str:
    tree = finish(
        installation,
        arch="x86_64",
        world=(),
        repositories=(),
        keys={},
        epoch_s=0,
        blobs=store,
    )
    return text_of(tree, f"lib/apk/db/{name}", store)


def text_of(tree: FileTree, path: str, store: Store) -> str:
    entry = tree.inode(guest_path(path))
    assert isinstance(entry, RegularFile)
    return read_content(entry.content, blobs=store).decode()


def test_every_kind_of_entry(store: Store) -> None:
    laid = lay(
        store,
        apk(
            name="a",
            files={
                "usr/bin/a": File(b"A", 0o4755),
                "usr/bin/h": Hard("usr/bin/a"),
                "usr/bin/l": Link("a"),
                "usr/bin/.keep_dir": b"",
                "srv/n": Node(4, 64),
                ".hidden": b"x",
                "init": File(b"I", 0o755),
            },
        ),
    )
    assert shown(laid.tree, store) == {
        "init": "755 0:0 I",
        "srv": "755 0:0",
        "srv/n": "device",
        "usr": "755 0:0",
        "usr/bin": "755 0:0",
        "usr/bin/a": "4755 0:0 A",
        "usr/bin/h": "= usr/bin/a",
        "usr/bin/l": "-> a",
    }
    lines = database(laid, store).split("\n")
    start = lines.index("F:usr")
    assert lines[start : start + 4] == ["F:usr", "F:usr/bin", "R:a", "a:0:0:4755"]
    hard = lines.index("R:h")
    assert lines[hard + 1 : hard + 3] == lines[start + 3 : start + 5]  # as the file it is
    assert "F:" in lines  # the root's own files


def test_owners_go_by_name_once_the_system_knows_names(store: Store) -> None:
    """The package that brings the accounts is itself laid out by numbers."""
    base = apk(
        name="base",
        files={"etc/passwd": PASSWD, "etc/group": GROUP, "d": Dir(0o750, "root", "wheel", 0, 33)},
    )
    other = apk(
        name="other",
        files={
            "e": Dir(0o2750, "daemon", "wheel", 900, 901),
            "e/f": File(b"", 0o640, "nobody", "wheel", 7, 8),
        },
    )
    laid = lay(store, base, other)
    assert shown(laid.tree, store)["d"] == "750 0:33"
    assert shown(laid.tree, store)["e"] == "2750 2:10"
    assert shown(laid.tree, store)["e/f"] == "640 7:10 "
    text = database(laid, store)
    assert "F:e\nM:2:10:2750\nR:f\na:7:10:640\n" in text


def test_users_that_a_script_makes(store: Store) -> None:
    laid = lay(
        store,
        apk(name="base", files={"etc/passwd": PASSWD, "etc/group": GROUP}),
        apk(name="ntp", files={"var/ntp": Dir(0o700, "ntp", "ntp", 500, 501), "var/x": Dir()}),
    )
    builder = TreeBuilder(laid.tree)
    passwd = InlineBytes(PASSWD + b"ntp:x:100:101::/:/bin/false\n")
    builder.put(guest_path("etc/passwd"), RegularFile(Metadata(0o644), passwd))
    builder.change(guest_path("var/x"), Directory(Metadata(0o711)))
    settled = settle_owners(laid, builder.build(), blobs=store)
    assert shown(settled.tree, store)["var/ntp"] == "700 100:501"
    assert shown(settled.tree, store)["var/x"] == "711 0:0"  # what a script changed stays
    assert "F:var/ntp\nM:100:501:700\n" in database(settled, store)


@pytest.mark.parametrize("turned", [False, True])
def test_a_shared_folder(turned: bool, store: Store) -> None:
    """The lowest owner's, with what all of that owner's packages allow; in any order."""
    apks = [
        apk(name="a", files={"d": Dir(0o775)}),
        apk(name="b", files={"d": Dir(0o757)}),
        apk(name="c", files={"d": Dir(0o777, "x", "x", 5, 5)}),
    ]
    laid = lay(store, *(reversed(apks) if turned else apks))
    assert shown(laid.tree, store) == {"d": "755 0:0"}


def test_a_folder_below_a_link(store: Store) -> None:
    laid = lay(
        store,
        apk(name="a", files={"usr/lib": Dir(), "bin": Link("usr/lib")}),
        apk(name="b", files={"bin": Dir(0o700), "bin/b": b"B", "bin/h": Hard("bin/b")}),
    )
    assert shown(laid.tree, store) == {
        "bin": "-> usr/lib",
        "usr": "755 0:0",
        "usr/lib": "755 0:0",
        "usr/lib/b": "644 0:0 B",
        "usr/lib/h": "= usr/lib/b",
    }


def test_a_link_out_of_the_root_stays_inside(store: Store) -> None:
    """CONTRACTS §8: a hard link or file through a package's symlink touches nothing outside."""
    laid = lay(
        store,
        apk(name="a", files={"out": Link("../../../../tmp"), "abs": Link("/tmp")}),
        apk(name="b", files={"out": Dir(), "out/x": b"X", "abs": Dir(), "abs/y": Hard("out/x")}),
    )
    assert shown(laid.tree, store) == {
        "abs": "-> /tmp",
        "out": "-> ../../../../tmp",
        "tmp/x": "644 0:0 X",
        "tmp/y": "= tmp/x",
    }


def test_two_packages_with_one_file(store: Store) -> None:
    with pytest.raises(ArchiveError, match="in the packages a and b, and neither replaces"):
        lay(store, apk(name="a", files={"f": b"A"}), apk(name="b", files={"f": b"B"}))


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ({}, {"replaces": ["a"]}, "B"),
        ({}, {"replaces": ["a<2"]}, "B"),
        ({"replaces": ["b"]}, {}, "A"),
        ({"replaces": ["b"]}, {"replaces": ["a"]}, "B"),
        ({"replaces": ["b"], "replaces_priority": ["5"]}, {"replaces": ["a"]}, "A"),
        ({"replaces": ["b"]}, {"replaces": ["a"], "replaces_priority": ["5"]}, "B"),
    ],
)
def test_replaces(
    first: dict[str, list[str]], second: dict[str, list[str]], kept: str, store: Store
) -> None:
    laid = lay(
        store,
        apk(name="a", files={"d/f": b"A", "d/g": b""}, info=first),
        apk(name="b", files={"d/f": b"B"}, info=second),
    )
    assert shown(laid.tree, store)["d/f"] == f"644 0:0 {kept}"
    owners = {
        one.package.name: [file.name for folder in one.folders for file in folder.files]
        for one in laid.packages
    }
    assert owners == ({"a": [b"g"], "b": [b"f"]} if kept == "B" else {"a": [b"f", b"g"], "b": []})


def test_packages_of_one_origin_may_take_over(store: Store) -> None:
    laid = lay(
        store,
        apk(name="a", files={"f": b"A"}, origin="o"),
        apk(name="b", files={"f": b"B"}, origin="o"),
    )
    assert shown(laid.tree, store) == {"f": "644 0:0 B"}


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"d": Dir(), "d/h": Hard("d/x")}, "a hard link to d/x, which it has not"),
        ({"d": Dir(), "d/h": Hard("f")}, "a hard link to f, which it has not"),
        ({"f": Dir()}, "a directory, where there is a file"),
        ({"e": b"x"}, "a file, where there is a directory"),
    ],
)
def test_what_cannot_be_laid_out(
    files: dict[str, Dir | Hard | bytes], what: str, store: Store
) -> None:
    first = apk(name="a", files={"e": Dir(), "f": b"A"})
    with pytest.raises(ArchiveError, match=what) as caught:
        lay(store, first, apk(name="b", files=files))
    assert "package b" in str(caught.value)


def test_what_the_user_has_below_etc_stays(store: Store) -> None:
    builder = TreeBuilder(prepared())
    for path, text in {"etc/same": b"S", "etc/mine": b"M", "srv": b""}.items():
        if path == "srv":
            builder.put(GuestPath(b"srv"), Directory(Metadata(0o700)))
        else:
            place = guest_path(path)
            builder.put(place, RegularFile(Metadata(0o600), InlineBytes(text)))
    builder.put(guest_path("srv/f"), RegularFile(Metadata(0o600), InlineBytes(b"old")))
    laid = lay(
        store,
        apk(name="a", files={"etc/same": b"S", "etc/mine": b"A", "etc/new": b"N", "srv/f": b"F"}),
        base=builder.build(),
    )
    assert shown(laid.tree, store) == {
        "etc/mine": "600 0:0 M",
        "etc/mine.apk-new": "644 0:0 A",
        "etc/new": "644 0:0 N",
        "etc/same": "600 0:0 S",
        "srv": "700 0:0",
        "srv/f": "644 0:0 F",
    }
    assert "R:mine\nZ:" in database(laid, store)


def test_extended_attributes(store: Store) -> None:
    file = File(b"x", 0o755, xattrs=(("security.capability", b"\1\0\0\2"), ("user.a", b"1")))
    laid = lay(store, apk(name="a", files={"f": file}))
    entry = laid.tree[GuestPath(b"f")]
    assert isinstance(entry, RegularFile)
    assert dict(entry.metadata.xattrs)[b"user.a"] == b"1"
    assert "R:f\na:0:0:755:Q1" in database(laid, store)


def test_the_settings(store: Store) -> None:
    world = parse_world(["b@edge", "A~1", "c"])
    tree = finish(
        lay(store, apk(name="a", files={"etc/machine-id": b"1234"})),
        arch="x86_64",
        world=world,
        repositories=[
            Repository(mirror="alpine", path="v3.19/main"),
            Repository(mirror="https://example.org/edge", tag="edge"),
        ],
        keys={"mine.rsa.pub": b"KEY"},
        epoch_s=0,
        blobs=store,
    )
    assert text_of(tree, "etc/apk/world", store) == "A~1\nb@edge\nc\n"
    assert text_of(tree, "etc/apk/arch", store) == "x86_64\n"
    assert text_of(tree, "etc/apk/keys/mine.rsa.pub", store) == "KEY"
    assert text_of(tree, "etc/machine-id", store) == ""
    assert text_of(tree, "etc/apk/repositories", store) == (
        "https://dl-cdn.alpinelinux.org/alpine/v3.19/main\n@edge https://example.org/edge\n"
    )


def test_no_password_is_from_the_future(store: Store) -> None:
    shadow = b"root:*::0:::::\nx:!:20779:0:99999:7:::\n"
    tree = finish(
        lay(store, apk(name="a", files={"etc/shadow": shadow})),
        arch="x86_64",
        world=(),
        repositories=(),
        keys={},
        epoch_s=100 * 86400,
        blobs=store,
    )
    assert text_of(tree, "etc/shadow", store) == "root:*::0:::::\nx:!:100:0:99999:7:::\n"
