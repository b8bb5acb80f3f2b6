"""Packages laid out as dpkg lays them out."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from bootsmith.errors import ArchiveError, UnsafePath
from bootsmith.model.guest_path import GuestPath, display
from bootsmith.sources.debian.unpack import unpack
from bootsmith.sources.debian.unpacked import ChosenDeb, unpack_debs
from bootsmith.store.blobs import Store
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import Directory, HardLink, RegularFile, Symlink
from bootsmith.tree.file_tree import FileTree
from tests.support.debian_repository import Deb, ar, compress, paragraph, tar


class Dir(NamedTuple):
    mode: int = 0o755
    uid: int = 0


class Link(NamedTuple):
    target: str


class Hard(NamedTuple):
    target: str


def package(
    name: str,
    contents: Mapping[str, bytes | Dir | Link | Hard],
    control_files: Mapping[str, bytes] | None = None,
    **fields: str,
) -> Deb:
    """A package whose members are given in order, with only the directories that are named."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, content in contents.items():
            info = tarfile.TarInfo(f"./{path}")
            info.mode = 0o644
            match content:
                case Dir(mode, uid):
                    info.type, info.mode, info.uid = tarfile.DIRTYPE, mode, uid
                case Link(target):
                    info.type, info.linkname = tarfile.SYMTYPE, target
                case Hard(target):
                    info.type, info.linkname = tarfile.LNKTYPE, f"./{target}"
                case bytes():
                    info.size = len(content)
            archive.addfile(info, io.BytesIO(content if isinstance(content, bytes) else b""))
    known = {"Package": name, "Version": "1.0", "Architecture": "amd64"}
    known |= {key.replace("_", "-").title(): value for key, value in fields.items()}
    control = tar({"control": paragraph(known), **(control_files or {})})
    parts = [
        ("debian-binary", b"2.0\n"),
        ("control.tar", control),
        ("data.tar.xz", compress(buffer.getvalue(), "xz")),
    ]
    return Deb(fields=known, data=ar(parts))


class Laid(NamedTuple):
    tree: FileTree
    store: Store

    def text(self, path: str) -> str:
        entry = self.tree.inode(GuestPath(path.encode()))
        assert isinstance(entry, RegularFile)
        return read_content(entry.content, blobs=self.store).decode()

    def listed(self, name: str) -> list[str]:
        return self.text(f"var/lib/dpkg/info/{name}.list").splitlines()

    def shown(self) -> dict[str, str]:
        """Everything but dpkg's database, in words."""
        return {
            display(path): self._words(path)
            for path in self.tree
            if path and not path.startswith(b"var")
        }

    def _words(self, path: GuestPath) -> str:
        entry = self.tree[path]
        if isinstance(entry, HardLink):
            return f"= {display(entry.target)}"
        if isinstance(entry, Symlink):
            return f"-> {display(entry.target)}"
        if isinstance(entry, Directory):
            return f"{entry.metadata.mode:o} {entry.metadata.uid}"
        return self.text(display(path))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def lay(store: Store, *packages: Deb) -> Laid:
    chosen = [
        ChosenDeb(
            name=one.name,
            version=one.fields["Version"],
            architecture=one.fields["Architecture"],
            digest=store.add_blob([one.data]).digest,
        )
        for one in packages
    ]
    return Laid(unpack(unpack_debs(chosen, store=store), arch="amd64"), store)


def test_files_and_folders(store: Store) -> None:
    laid = lay(
        store,
        package(
            "a",
            {"": Dir(), "usr": Dir(), "usr/a": b"A", "usr/l": Link("a"), "usr/h": Hard("usr/a")},
        ),
    )
    assert laid.shown() == {"usr": "755 0", "usr/a": "A", "usr/h": "= usr/a", "usr/l": "-> a"}
    assert laid.listed("a") == ["/.", "/usr", "/usr/a", "/usr/l", "/usr/h"]


def test_a_folder_stays_as_the_first_package_made_it(store: Store) -> None:
    laid = lay(
        store,
        package("a", {"d": Dir(0o2755, 7)}),
        package("b", {"d": Dir(0o700, 0), "d/b": b"B"}),
    )
    assert laid.shown() == {"d": "2755 7", "d/b": "B"}
    assert laid.listed("b") == ["/d", "/d/b"]


def test_a_link_to_a_folder_stays_and_is_followed(store: Store) -> None:
    laid = lay(
        store,
        package("a", {"usr": Dir(), "usr/lib": Dir(), "lib": Link("usr/lib")}),
        package("b", {"lib": Dir(0o700), "lib/b": b"B", "lib/c": Hard("lib/b")}),
    )
    assert laid.shown() == {
        "lib": "-> usr/lib",
        "usr": "755 0",
        "usr/lib": "755 0",
        "usr/lib/b": "B",
        "usr/lib/c": "= usr/lib/b",
    }
    assert laid.listed("b") == ["/lib", "/lib/b", "/lib/c"]


@pytest.mark.parametrize("name", ["usrmerge", "usr-is-merged"])
def test_usr_is_merged_from_the_start(store: Store, name: str) -> None:
    """Only the directories that packages have: amd64 has no /lib32 of its own."""
    laid = lay(
        store,
        package("b", {"bin": Dir(), "bin/sh": b"S", "lib64": Dir(), "lib64/ld": Link("/lib/ld")}),
        package(name, {"usr": Dir()}),
    )
    assert laid.shown() == {
        "bin": "-> usr/bin",
        "lib64": "-> usr/lib64",
        "usr": "755 0",
        "usr/bin": "755 0",
        "usr/bin/sh": "S",
        "usr/lib64": "755 0",
        "usr/lib64/ld": "-> /lib/ld",
    }
    assert laid.listed("b") == ["/bin", "/bin/sh", "/lib64", "/lib64/ld"]


def test_base_files_brings_the_links_itself(store: Store) -> None:
    """As from trixie on."""
    laid = lay(
        store,
        package("acl", {"bin": Dir(), "bin/acl": b"A"}),
        package("base-files", {"usr": Dir(), "usr/bin": Dir(0o711), "bin": Link("usr/bin")}),
        package("b", {"usr": Dir(), "usr/bin": Dir(), "usr/bin/sh": b"S"}),
    )
    assert laid.shown() == {
        "bin": "-> usr/bin",
        "usr": "755 0",
        "usr/bin": "755 0",
        "usr/bin/acl": "A",
        "usr/bin/sh": "S",
    }
    assert laid.listed("base-files") == ["/usr", "/usr/bin", "/bin"]


def test_configuration_files_wait_beside_their_place(store: Store) -> None:
    laid = lay(
        store,
        package(
            "a",
            {"etc": Dir(), "etc/a.conf": b"A", "etc/b.conf": Hard("etc/a.conf"), "etc/plain": b"P"},
            {"conffiles": b"/etc/a.conf\n/etc/b.conf\n"},
        ),
    )
    assert laid.shown() == {
        "etc": "755 0",
        "etc/a.conf.dpkg-new": "A",
        "etc/b.conf.dpkg-new": "= etc/a.conf.dpkg-new",
        "etc/plain": "P",
    }
    assert laid.listed("a") == ["/etc", "/etc/a.conf", "/etc/b.conf", "/etc/plain"]
    status = laid.text("var/lib/dpkg/status")
    assert "Conffiles:\n /etc/a.conf newconffile\n /etc/b.conf newconffile\n" in status


def test_a_file_of_two_packages(store: Store) -> None:
    with pytest.raises(ArchiveError, match="f is in the packages a and b") as caught:
        lay(store, package("a", {"f": b"A"}), package("b", {"f": b"B"}))
    assert caught.value.member == "f"


def test_a_file_of_two_packages_by_different_names(store: Store) -> None:
    with pytest.raises(ArchiveError, match="usr/bin/f is in the packages a and b"):
        lay(
            store,
            package("usrmerge", {"usr": Dir(), "bin": Dir()}),
            package("a", {"bin": Dir(), "bin/f": b"A"}),
            package("b", {"usr": Dir(), "usr/bin": Dir(), "usr/bin/f": b"B"}),
        )


def test_a_package_takes_over_what_it_replaces(store: Store) -> None:
    laid = lay(
        store, package("a", {"f": b"A", "g": b"G"}), package("b", {"f": b"B"}, replaces="a (<< 2)")
    )
    assert laid.shown() == {"f": "B", "g": "G"}
    assert laid.listed("a") == ["/g"]
    assert laid.listed("b") == ["/f"]


def test_a_package_gives_up_what_another_replaces(store: Store) -> None:
    laid = lay(store, package("b", {"f": b"B"}, replaces="a"), package("a", {"f": b"A", "g": b"G"}))
    assert laid.shown() == {"f": "B", "g": "G"}
    assert laid.listed("a") == ["/g"]


def test_replacing_an_older_version_only(store: Store) -> None:
    with pytest.raises(ArchiveError, match="neither replaces the other"):
        lay(store, package("a", {"f": b"A"}), package("b", {"f": b"B"}, replaces="a (<< 1.0)"))


def test_a_file_where_a_folder_is(store: Store) -> None:
    with pytest.raises(ArchiveError, match="a directory in one package and a file in b"):
        lay(store, package("a", {"d": Dir(), "d/x": b""}), package("b", {"d": b"B"}))
    with pytest.raises(ArchiveError, match="a directory in one package and a file in another"):
        lay(store, package("a", {"d": b"A"}), package("b", {"d": Dir()}))


def test_a_link_where_the_folder_it_leads_to_is(store: Store) -> None:
    """dpkg keeps the folder: it is the same place already."""
    laid = lay(
        store,
        package("a", {"x": Dir(), "x/d": Dir(), "l": Link("x")}),
        package("b", {"l": Dir(), "l/d": Link("../x/d")}),
    )
    assert laid.shown() == {"l": "-> x", "x": "755 0", "x/d": "755 0"}


@pytest.mark.parametrize("path", ["../etc/passwd", "usr/../../x"])
def test_a_path_that_climbs(store: Store, path: str) -> None:
    with pytest.raises(UnsafePath):
        lay(store, package("a", {path: b"x"}))


def test_a_link_out_of_the_tree_leads_into_it(store: Store) -> None:
    laid = lay(
        store,
        package("a", {"l": Link("../../etc"), "etc": Dir()}),
        package("b", {"l": Dir(), "l/passwd": b"B"}),
    )
    assert laid.shown() == {"etc": "755 0", "etc/passwd": "B", "l": "-> ../../etc"}


def test_a_folder_where_a_link_to_nothing_is(store: Store) -> None:
    with pytest.raises(ArchiveError, match="a directory in one package and a file in another"):
        lay(store, package("a", {"l": Link("nowhere")}), package("b", {"l": Dir()}))


def test_a_package_that_diverts_is_left_to_dpkg(store: Store) -> None:
    diverting = package(
        "d", {"f": b"D"}, {"preinst": b"#!/bin/sh\n# comment\ndpkg-divert --add --rename /f\n"}
    )
    laid = lay(store, package("a", {"f": b"A"}), diverting)
    assert laid.shown() == {"f": "A"}
    assert "Package: d\n" not in laid.text("var/lib/dpkg/status")
    entry = laid.tree[GuestPath(b"var/cache/apt/archives/d.deb")]
    assert isinstance(entry, RegularFile)
    assert read_content(entry.content, blobs=store) == diverting.data


def test_the_order_is_the_callers(store: Store) -> None:
    one, other = package("z", {"d": Dir(0o711)}), package("a", {"d": Dir(0o755)})
    assert lay(store, one, other).shown() == {"d": "711 0"}
    assert lay(store, other, one).shown() == {"d": "755 0"}
