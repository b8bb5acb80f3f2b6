"""Package files, good and hostile."""

from __future__ import annotations

import io
import tarfile
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from bootsmith.errors import ArchiveError, ImageError, IntegrityError, UnsafePath
from bootsmith.model.digest import Digest
from bootsmith.model.streams import BytesSource
from bootsmith.sources.alpine.apk import open_apk
from bootsmith.sources.alpine.opened import OpenedApks
from bootsmith.sources.alpine.package import ApkPackage
from bootsmith.sources.alpine.unpacked import UnpackedApk, admit_apk, known_apk, unpack_apk
from bootsmith.store.blobs import Store
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import RegularFile
from tests.support.alpine_repository import (
    Apk,
    Dir,
    File,
    Hard,
    Link,
    SigningKey,
    apk,
    data_tar,
    member,
    member_of_tar,
)
from tests.support.real_alpine import chosen_apk, real_repository, real_universe, take_in


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def described(made: Apk) -> ApkPackage:
    text = "\n".join(f"{letter}:{value}" for letter, value in made.fields.items())
    return ApkPackage.from_paragraph(text, where="here")


def opened(made: Apk, store: Store) -> UnpackedApk:
    package = described(made)
    file = store.add_blob([made.data]).digest
    admit_apk(package, file, store=store)
    return unpack_apk(chosen_apk(package, file), store=store)


@pytest.mark.parametrize("key", [None, SigningKey.generate()])
def test_a_package(key: SigningKey | None, store: Store) -> None:
    made = apk(
        name="a",
        files={
            "d": Dir(0o2750, "root", "wheel", 0, 10),
            "d/f": File(b"text", xattrs=(("user.x", b"1"),)),
            "d/l": Link("f"),
            "d/h": Hard("d/f"),
        },
        scripts={"post-install": b"#!/bin/sh\n", "unknown": b""},
        info={"replaces": ["b<2 c"], "replaces_priority": ["7"], "triggers": ["/usr/* /bin"]},
        key=key,
    )
    found = opened(made, store)
    assert [bytes(file.path) for file in found.files] == [b"d", b"d/f", b"d/l", b"d/h"]
    folder, file, link, hard = found.files
    assert folder.owner == ("root", "wheel")
    assert isinstance(file.entry, RegularFile)
    assert read_content(file.entry.content, blobs=store) == b"text"
    assert file.entry.metadata.xattrs == ((b"user.x", b"1"),)
    assert file.checksum is not None
    assert link.checksum is not None
    assert hard.checksum is None
    assert found.control.scripts == {"post-install": b"#!/bin/sh\n"}
    assert [str(one) for one in found.control.replaces] == ["b<2", "c"]
    assert found.control.replaces_priority == 7
    assert found.control.triggers == ("/usr/*", "/bin")


def test_what_was_admitted_is_known(store: Store) -> None:
    made = apk(name="a")
    package = described(made)
    assert known_apk(package, store=store) is None
    file = store.add_blob([made.data]).digest
    admit_apk(package, file, store=store)
    known = known_apk(package, store=store)
    assert known is not None
    assert known.digest == file


def test_every_byte_of_a_package_counts(store: Store) -> None:
    """Sabotage: whichever byte is changed, the package is refused.

    (The first member holds a signature that nothing hangs on: the index is what is signed.)
    """
    made = apk(name="a", files={"f": b"some text"}, scripts={"post-install": b"#!/bin/sh\n"})
    package = described(made)
    for position in range(0, len(made.data), 5):
        spoilt = bytearray(made.data)
        spoilt[position] ^= 4
        file = store.add_blob([bytes(spoilt)]).digest
        with pytest.raises(ImageError):
            admit_apk(package, file, store=store)
        assert known_apk(package, store=store) is None


def test_data_that_the_control_part_does_not_name_is_refused_as_that(store: Store) -> None:
    """The mirror may send any data behind what the index names.

    Here it sends what cannot be inflated at all; that it is another file is what is told, by
    whoever takes it in and by whoever opened it meanwhile.
    """
    made = apk(name="a", files={"f": File(b"text")})
    control_end = open_apk(BytesSource(made.data)).data_offset
    forged = made.data[:control_end] + b"\x1f\x8b" + b"no gzip member" * 99
    file = store.add_blob([forged])
    package = described(replace(made, fields={**made.fields, "S": str(len(forged))}))
    opened = OpenedApks(store)
    with pytest.raises(IntegrityError, match="not those its control part names"):
        opened.admit(package, file)
    with pytest.raises(IntegrityError, match="not those its control part names"):
        opened.open([chosen_apk(package, file.digest)])


@pytest.mark.parametrize("size_mib", [1, 63, 300])
def test_a_bomb_of_a_mirror_does_not_go_off(size_mib: int) -> None:
    """Data is inflated beside the check of its digest, and only so much until that is through."""
    zeros = member_of_tar(bytes(size_mib << 20))
    source = BytesSource(apk(name="a", data=zeros, datahash="0" * 64).data)
    opened, checked = open_apk(source), Future[None]()
    inflated_bytes = 0
    with pytest.raises(IntegrityError) as caught:
        opened.check_data(source)
    checked.set_exception(caught.value)
    with pytest.raises(IntegrityError):
        for chunk in opened.data_chunks(source, checked=checked):
            inflated_bytes += len(chunk)
    assert inflated_bytes == min(size_mib, 64) << 20


def test_another_package_under_its_name(store: Store) -> None:
    package = described(apk(name="a", files={"f": b"one"}))
    other = apk(name="a", files={"f": b"two"})
    with pytest.raises(IntegrityError, match="another than its index names") as caught:
        admit_apk(package, store.add_blob([other.data]).digest, store=store)
    assert "the package a 1.0-r0" in str(caught.value)


def test_an_index_that_names_another_version_for_the_same_file(store: Store) -> None:
    made = apk(name="a")
    package = described(Apk(fields={**made.fields, "V": "9-r0"}, data=made.data))
    with pytest.raises(IntegrityError, match="another than its index names"):
        admit_apk(package, store.add_blob([made.data]).digest, store=store)


GOOD = member_of_tar(data_tar({"f": b"x"}))


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (apk(name="a", datahash="0" * 64), "not those its control part names"),
        (apk(name="a", datahash="none"), "datahash"),
        (apk(name="a", data=GOOD + b"behind"), "follows the last"),
        (apk(name="a", data=GOOD + GOOD), "follows the last"),
        (apk(name="a", data=GOOD[:-9]), "cut off"),
        (apk(name="a", data=b""), "cut off|no gzip|empty"),
    ],
    ids=["another digest", "no digest", "trailing bytes", "two parts", "cut off", "no data"],
)
def test_malformed_data(made: Apk, what: str, store: Store) -> None:
    with pytest.raises((ArchiveError, IntegrityError), match=what):
        opened(made, store)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"ADB.\x01\x02", "format 3"),
        (b"", "no gzip data"),
        (b"!<arch>", "no gzip data"),
        (member({"other": b"x"}), "no .PKGINFO"),
        (member({".PKGINFO": b"pkgname = a\n"})[:-4], "cut off"),
        (member({".PKGINFO": b"a = b\n"})[:-3], "cut off"),
    ],
)
def test_what_is_no_package(data: bytes, what: str) -> None:
    with pytest.raises(ArchiveError, match=what):
        open_apk(BytesSource(data))


def test_two_files_of_one_name_among_the_control_files() -> None:
    first = member({".PKGINFO": b"pkgname = a\n"}, is_last=False)
    with pytest.raises(ArchiveError):
        open_apk(BytesSource(first[:1] + first))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("../outside", UnsafePath),
        ("a/../../outside", UnsafePath),
        ("d/f\nR:forged", UnsafePath),
        ("d/\x7f", UnsafePath),
    ],
)
def test_hostile_names(path: str, kind: type[ArchiveError], store: Store) -> None:
    with pytest.raises(kind) as caught:
        opened(apk(name="a", files={path: b"x"}), store)
    assert "the package a" in str(caught.value)


def test_a_checksum_that_is_another_files(store: Store) -> None:
    tar = bytearray(data_tar({"f": b"text"}))
    place = tar.index(b"APK-TOOLS.checksum.SHA1=") + 24
    tar[place : place + 4] = b"0000"
    made = apk(name="a", data=member_of_tar(bytes(tar)))
    with pytest.raises(IntegrityError, match="not what its header says"):
        opened(made, store)


def test_a_header_that_could_be_read_in_two_ways(store: Store) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("f")
        info.size, info.pax_headers = 4, {"size": "1024"}
        archive.addfile(info, io.BytesIO(b"text"))
    made = apk(name="a", data=member_of_tar(buffer.getvalue()))
    with pytest.raises(ArchiveError):
        opened(made, store)


@pytest.mark.slow
def test_all_real_packages(store: Store) -> None:
    universe = real_universe(store)
    (one,) = universe.repositories
    packages = [package for name in one.index.names() for package in universe.versions(name)]
    opened_apks = OpenedApks(store).open(take_in(packages, real_repository(), store))
    assert len(opened_apks) == 100
    assert sum(len(found.files) for found in opened_apks) > 3000
    assert all(isinstance(found.control.data_digest, Digest) for found in opened_apks)
