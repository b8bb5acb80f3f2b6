"""Removing names and images: what goes, what stays, and what is never touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootsmith.errors import ImageError, ImageNotFound, PlatformNotFound
from bootsmith.host.locks import locked
from bootsmith.host.work_place import work_place
from bootsmith.model.arch import Arch
from bootsmith.sdk.library import Library
from tests.support.stored_images import write_small_image


@pytest.fixture
def image(tmp_path: Path) -> Path:
    write_small_image(tmp_path / "image")
    return tmp_path / "image"


def test_the_last_name_takes_the_image_along(library: Library, image: Path) -> None:
    taken = library.take(image, tags=["a", "b"])
    first = library.remove("a")
    assert (len(first.labels), first.build_ids, first.freed_bytes) == (1, (), 0)
    second = library.remove("b")
    assert second.build_ids == (taken.manifest.build_id,)
    assert second.freed_bytes > 4096
    assert not taken.folder.exists()
    assert list((library.root / "refs").iterdir()) == []
    assert list((library.root / "work").iterdir()) == []


def test_an_image_with_names_needs_force(library: Library, image: Path) -> None:
    build_id = library.take(image, tags=["a", "b"]).manifest.build_id
    with pytest.raises(ImageError, match="is called a:latest, b:latest"):
        library.remove(build_id[:8])
    removed = library.remove(build_id[:8], force=True)
    assert len(removed.labels) == 2
    assert library.images() == ()


def test_an_image_without_names_goes_by_its_build_id(library: Library, image: Path) -> None:
    library.remove(library.take(image).manifest.build_id)
    assert library.images() == ()


def test_one_architecture_of_a_name(library: Library, tmp_path: Path) -> None:
    for arch in Arch:
        write_small_image(tmp_path / arch.value, arch=arch)
        library.take(tmp_path / arch.value, tags=["a"])
    library.remove("a", arch="arm64")
    assert [image.manifest and image.manifest.arch for image in library.images()] == [Arch.X86_64]
    library.remove("a")
    assert library.images() == ()


def test_an_architecture_that_a_name_does_not_have(library: Library, image: Path) -> None:
    library.take(image, tags=["a"])
    with pytest.raises(PlatformNotFound, match="a:latest has no image for aarch64"):
        library.remove("a", arch="aarch64")
    library.open("a").verify()


def test_a_folder_is_never_removed(
    library: Library, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(image.parent)
    for selector in ("image", "./image", str(image), "../" + image.parent.name):
        with pytest.raises(ImageNotFound):
            library.remove(selector, force=True)
    assert image.exists()
    library.take(image, tags=["image"])
    library.remove("image")
    assert image.exists()
    assert library.images() == ()


def test_a_link_out_of_the_library_goes_alone(library: Library, image: Path) -> None:
    link = library.root / "refs" / "evil" / "latest" / "x86_64"
    link.parent.mkdir(parents=True)
    link.symlink_to(image)
    library.remove("evil")
    assert not link.is_symlink()
    assert image.exists()


def test_shared_files_free_nothing(library: Library, tmp_path: Path) -> None:
    for text in ("one", "two"):
        write_small_image(tmp_path / text, text)
        library.take(tmp_path / text, tags=[text])
    one = next(image for image in library.images() if image.labels[0].reference.name == "one")
    assert 0 < library.remove("one").freed_bytes < one.use.allocated_bytes
    library.open("two").verify()


def test_prune(library: Library, tmp_path: Path) -> None:
    for text in ("named", "unnamed"):
        write_small_image(tmp_path / text, text)
        library.take(tmp_path / text, tags=[text] if text == "named" else [])
    before = library.images()
    told = library.prune(dry_run=True)
    assert library.images() == before
    done = library.prune()
    assert (done.build_ids, done.freed_bytes) == (told.build_ids, told.freed_bytes)
    assert [one.labels[0].reference.name for one in library.images()] == ["named"]
    assert library.prune().build_ids == ()


def test_prune_removes_names_without_an_image(library: Library, image: Path) -> None:
    taken = library.take(image, tags=["a"])
    for path in taken.folder.iterdir():
        path.unlink()
    taken.folder.rmdir()
    assert [str(label.reference) for label in library.prune(dry_run=True).labels] == ["a:latest"]
    library.prune()
    assert list((library.root / "refs").iterdir()) == []


def test_prune_removes_what_was_left_behind_and_nothing_under_way(
    library: Library, image: Path
) -> None:
    taken = library.take(image, tags=["a"])
    left = library.root / "objects" / f".{taken.manifest.build_id}.bootsmith-staging"
    left.mkdir()
    (library.root / "work" / "build-killed").mkdir(parents=True)
    (library.root / "work" / "build-killed.lock").touch()
    with work_place(library.root / "work") as busy:
        library.prune()
        assert [path for path in (library.root / "work").iterdir() if path.is_dir()] == [busy]
    assert [path.name for path in (library.root / "objects").iterdir()] == [taken.folder.name]
    assert list((library.root / "work").iterdir()) == []


def test_a_lock_in_use_is_left_alone(library: Library, image: Path) -> None:
    library.take(image)
    lock = library.root / "work" / "other.lock"
    with locked(lock):
        library.prune()
        assert lock.exists()
    library.prune()
    assert not lock.exists()
