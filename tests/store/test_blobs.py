"""The store keeps what it was given, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootsmith.errors import HostError, ImageError, IntegrityError
from bootsmith.model.digest import Descriptor, Digest
from bootsmith.store.blobs import Store
from tests.support.ordinary_user import ordinary_user


def content(store: Store, digest: Digest) -> bytes:
    source = store.open_blob(digest)
    return source.read_at(0, source.size_bytes)


def test_a_blob_comes_back(tmp_path: Path) -> None:
    kept = Store(tmp_path).add_blob([b"one ", b"two"])
    assert kept == Descriptor(digest=Digest.of(b"one two"), size_bytes=7)
    assert content(Store(tmp_path), kept.digest) == b"one two"


def test_another_digest_than_expected_keeps_nothing(tmp_path: Path) -> None:
    expected = Descriptor(digest=Digest.of(b"a"), size_bytes=1)
    with pytest.raises(IntegrityError):
        Store(tmp_path).add_blob([b"b"], expected=expected)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_source_that_breaks_off_keeps_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ImageError("the rest is missing")

    with pytest.raises(ImageError):
        Store(tmp_path).add_blob(broken())
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_could_not_be_moved_into_its_place_can_be_written_to(tmp_path: Path) -> None:
    """A download is continued there, or begun anew."""
    store, found = Store(tmp_path), Descriptor(digest=Digest.of(b"a"), size_bytes=1)
    (store.blobs.path(found.digest) / "in the way").mkdir(parents=True)
    staging = store.blobs.staging_path()
    staging.write_bytes(b"a")
    with pytest.raises(HostError):
        store.blobs.adopt(staging, found)
    assert staging.stat().st_mode & 0o200


def damage_in_place(path: Path) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(b"X")


def damage_by_truncation(path: Path) -> None:
    stamp = path.stat().st_mtime_ns
    path.chmod(0o644)
    os.truncate(path, 3)
    os.utime(path, ns=(stamp, stamp))  # as after a power loss: the time is there, the data not


@pytest.mark.parametrize("damage", [damage_in_place, damage_by_truncation])
def test_a_damaged_blob_is_found_and_removed(tmp_path: Path, damage: object) -> None:
    kept = Store(tmp_path).add_blob([b"0123456789"])
    path = Store(tmp_path).blobs.path(kept.digest)
    assert callable(damage)
    damage(path)
    store = Store(tmp_path)
    assert not store.has(kept.digest)
    assert not path.exists()
    with pytest.raises(ImageError, match="not in the store"):
        store.open_blob(kept.digest)


def test_a_touched_but_right_blob_is_kept(tmp_path: Path) -> None:
    kept = Store(tmp_path).add_blob([b"0123456789"])
    os.utime(Store(tmp_path).blobs.path(kept.digest))
    assert Store(tmp_path).has(kept.digest)


def test_a_derived_blob_is_found_by_what_it_was_made_from(tmp_path: Path) -> None:
    store = Store(tmp_path)
    key = Digest.of(b"input")
    made = store.add_blob([b"output"])
    assert store.derived("kind", key) is None
    store.record_derived("kind", key, made)
    assert Store(tmp_path).derived("kind", key) == made
    assert store.derived("other", key) is None


def test_a_derived_blob_that_was_lost_is_not_there(tmp_path: Path) -> None:
    store = Store(tmp_path)
    made = store.add_blob([b"output"])
    store.record_derived("kind", Digest.of(b"input"), made)
    store.blobs.path(made.digest).unlink()
    assert Store(tmp_path).derived("kind", Digest.of(b"input")) is None


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"digest": "sha256:no"}'])
def test_a_damaged_record_is_made_again(tmp_path: Path, text: bytes) -> None:
    store = Store(tmp_path)
    record = tmp_path / "derived" / "kind" / Digest.of(b"input").hex
    record.parent.mkdir(parents=True)
    record.write_bytes(text)
    assert store.derived("kind", Digest.of(b"input")) is None
    assert not record.exists()


def test_a_folder_in_a_records_place_gives_way(tmp_path: Path) -> None:
    store, key = Store(tmp_path), Digest.of(b"input")
    (tmp_path / "derived" / "kind" / key.hex / "deeper").mkdir(parents=True)
    assert store.derived("kind", key) is None
    made = store.add_blob([b"output"])
    store.record_derived("kind", key, made)
    assert store.derived("kind", key) == made


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    blobs = Store(tmp_path).blobs
    mine = blobs.staging_path()
    mine.write_bytes(b"in use")
    dead = mine.with_name("999999999-1-abcdef00")
    dead.write_bytes(b"left over")
    assert blobs.remove_leftovers() == 1
    assert mine.exists()
    assert not dead.exists()


def test_a_store_that_may_not_be_used() -> None:
    """A folder whose parent may not be entered, as root's home is to others."""
    code = """
from pathlib import Path
from bootsmith.store.blobs import Store
blobs = Store(Path("/root/store")).blobs
blobs.remove_leftovers()
blobs.staging_path()
"""
    with ordinary_user("bootsmith-store") as user:
        last = user.run(code).stderr.splitlines()[-1]
    assert last.startswith("bootsmith.errors.HostError: cannot "), last
    assert last.endswith("Permission denied"), last


def test_more_blobs_than_open_files(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept = [store.add_blob([str(n).encode()]) for n in range(300)]
    for n, descriptor in enumerate(kept):
        assert content(store, descriptor.digest) == str(n).encode()
