"""Each package of a build is opened once, at the latest when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from bootsmith.errors import IntegrityError, UnsafePath
from bootsmith.model.digest import Descriptor, Digest
from bootsmith.sources.alpine.opened import OpenedApks
from bootsmith.sources.alpine.package import ApkPackage
from bootsmith.sources.alpine.unpacked import DATA_KIND, known_apk
from bootsmith.store.blobs import Store
from tests.support.alpine_repository import Apk, File, apk
from tests.support.real_alpine import chosen_apk


class CountingStore(Store):
    """A store that remembers what was read of it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.added = 0

    def add_blob(self, data: Iterable[bytes], *, expected: Descriptor | None = None) -> Descriptor:
        self.added += 1
        return super().add_blob(data, expected=expected)


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    return CountingStore(tmp_path / "store")


def described(made: Apk) -> ApkPackage:
    text = "\n".join(f"{letter}:{value}" for letter, value in made.fields.items())
    return ApkPackage.from_paragraph(text, where="here")


def test_what_is_admitted_is_opened_once_for_all(store: CountingStore) -> None:
    made = apk(name="a", files={"etc/f": File(b"text")})
    package, found = described(made), store.add_blob([made.data])
    opened = OpenedApks(store)
    opened.admit(package, found)
    assert known_apk(package, store=store) is not None
    wanted = chosen_apk(package, found.digest)
    (first,), (second,) = opened.open([wanted]), opened.open([wanted])
    assert first is second
    assert [file.path for file in first.files] == [b"etc", b"etc/f"]
    assert store.added == 2  # the package, and its data


def test_large_packages_are_the_same_as_small_ones(store: CountingStore) -> None:
    noise = b"".join(Digest.of(number.to_bytes(4)).hex.encode() for number in range(200_000))
    made = apk(name="a", files={"f": File(noise)})
    assert len(made.data) > 4 << 20
    package, found = described(made), store.add_blob([made.data])
    opened = OpenedApks(store)
    opened.admit(package, found)
    (one,) = opened.open([chosen_apk(package, found.digest)])
    data = store.derived(DATA_KIND, found.digest)
    assert data is not None
    (file,) = one.files
    assert noise in b"".join(
        store.open_blob(data.digest).read_at(offset, 1 << 20)
        for offset in range(0, data.size_bytes, 1 << 20)
    )
    assert file.entry.content.size_bytes == len(noise)  # type: ignore[union-attr]


def test_what_is_wrong_is_told_to_who_asks(store: CountingStore) -> None:
    good, hostile = apk(name="a", files={"f": File(b"1")}), apk(name="b", files={"a\nb": File(b"")})
    opened = OpenedApks(store)
    wanted = []
    for made in (good, hostile):
        package, found = described(made), store.add_blob([made.data])
        opened.admit(package, found)
        wanted.append(chosen_apk(package, found.digest))
    with pytest.raises(UnsafePath, match="control characters"):
        opened.open(wanted)
    (fine,) = opened.open(wanted[:1])
    assert fine.package.name == "a"


def test_another_package_is_not_admitted(store: CountingStore) -> None:
    good, other = apk(name="a", files={"f": File(b"1")}), apk(name="a", files={"f": File(b"2")})
    found = store.add_blob([other.data])
    with pytest.raises(IntegrityError):
        OpenedApks(store).admit(described(good), found)
    assert known_apk(described(good), store=store) is None
