"""What a word means: folder, build id, name, part of a build id, in this order."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootsmith.errors import AmbiguousImage, ImageError, ImageNotFound, PlatformNotFound
from bootsmith.library.reference import Reference
from bootsmith.library.selection import Selection
from bootsmith.library.shelf import Shelf
from bootsmith.model.arch import Arch
from tests.support.stored_images import build_id_of_small_image, write_small_image

IDS = {
    text: build_id_of_small_image(text, arch=arch)
    for text, arch in (
        ("first", Arch.X86_64),
        ("second", Arch.AARCH64),
        ("third", Arch.X86_64),
    )
}
FIRST, SECOND, THIRD = IDS.values()
SIBLING = FIRST[:8] + "-0000-5000-8000-000000000000"
"""A build id that begins as the first image's."""


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path / "images")
    for text, arch in (("first", Arch.X86_64), ("second", Arch.AARCH64), ("third", Arch.X86_64)):
        write_small_image(shelf.object_folder(IDS[text]), text, arch=arch)
    shelf.label(Reference("debian"), Arch.X86_64, FIRST)
    shelf.label(Reference("debian", "12"), Arch.X86_64, FIRST)
    shelf.label(Reference("debian", "12"), Arch.AARCH64, SECOND)
    shelf.label(Reference("my/arm"), Arch.AARCH64, SECOND)
    return shelf


@pytest.fixture
def selection(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Selection:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return Selection(shelf=shelf, host=Arch.X86_64)


@pytest.mark.parametrize(
    ("selector", "arch", "build_id"),
    [
        (FIRST, None, FIRST),
        (SECOND[:12], None, SECOND),
        (THIRD[:5], None, THIRD),
        ("debian", None, FIRST),
        ("debian:latest", Arch.X86_64, FIRST),
        ("debian:12", None, FIRST),
        ("debian:12", Arch.AARCH64, SECOND),
        ("my/arm", None, SECOND),
    ],
)
def test_a_word_is_found(
    selection: Selection, selector: str, arch: Arch | None, build_id: str
) -> None:
    found = selection.find(selector, arch=arch)
    assert (found.build_id, found.folder.name) == (build_id, build_id)


def test_an_existing_folder_comes_first(selection: Selection) -> None:
    for name in ("debian", FIRST):
        (Path(name)).mkdir()
        (Path(name) / "manifest.json").touch()
        assert selection.find(name).folder == Path.cwd() / name
    assert selection.find("debian:latest").build_id == FIRST


def test_a_name_comes_before_a_part_of_a_build_id(selection: Selection, shelf: Shelf) -> None:
    shelf.label(Reference(THIRD[:5]), Arch.X86_64, FIRST)
    assert selection.find(THIRD[:5]).build_id == FIRST


@pytest.mark.parametrize(
    ("selector", "similar", "hint"),
    [
        ("debain", ("debian:12", "debian:latest"), "did you mean debian:12"),
        ("debian:13", ("debian:12", "debian:latest"), "did you mean debian:12"),
        ("debian:slim", ("debian:12", "debian:latest"), "did you mean"),
        ("nothing-like-it", (), "image ls"),
        ("./nothing-there", (), "image ls"),
        ("../../etc", (), "image ls"),
        ("", (), "image ls"),
        ("a\0b", (), "image ls"),
        ("ffffffff-d9cb-569f-a165-70867728950e", (), "image ls"),
    ],
)
def test_what_is_not_there(
    selection: Selection, selector: str, similar: tuple[str, ...], hint: str
) -> None:
    with pytest.raises(ImageNotFound) as told:
        selection.find(selector)
    assert told.value.similar == similar
    assert hint in (told.value.hint or "")


def test_an_empty_name(selection: Selection) -> None:
    with pytest.raises(ImageNotFound, match="the name of the image is empty") as told:
        selection.find("")
    assert "bootsmith image ls" in (told.value.hint or "")


def test_an_empty_library_says_how_to_fill_it(tmp_path: Path) -> None:
    with pytest.raises(ImageNotFound) as told:
        Selection(shelf=Shelf(tmp_path), host=Arch.X86_64).find("debian")
    assert "--tag" in (told.value.hint or "")


def test_an_ambiguous_beginning(selection: Selection, shelf: Shelf) -> None:
    shelf.object_folder(SIBLING).mkdir()
    with pytest.raises(AmbiguousImage) as told:
        selection.find(FIRST[:8])
    assert told.value.candidates == tuple(sorted((SIBLING, FIRST)))
    assert FIRST in str(told.value)


def test_another_architecture_only(selection: Selection) -> None:
    with pytest.raises(PlatformNotFound, match="my/arm:latest has no image for x86_64, only"):
        selection.find("my/arm", arch=Arch.X86_64)


def test_a_name_whose_image_is_gone(selection: Selection, shelf: Shelf) -> None:
    shelf.object_folder(FIRST).rename(shelf.root / "gone")
    with pytest.raises(ImageNotFound, match="no longer in the library"):
        selection.find("debian")


def test_a_file_is_no_image(selection: Selection) -> None:
    Path("debian").touch()
    with pytest.raises(ImageError, match="is a file") as told:
        selection.find("debian")
    assert "image import debian" in (told.value.hint or "")


def test_a_folder_without_an_image_does_not_hide_one(selection: Selection) -> None:
    Path("debian").mkdir()
    with pytest.raises(ImageError, match="stands before the image debian:latest"):
        selection.find("debian")


@pytest.mark.parametrize(
    "target",
    [
        "/etc",
        "../../../../elsewhere",
        f"../../../objects/{FIRST}/..",
        f"../../objects/{FIRST}",
        FIRST,
    ],
)
def test_a_link_out_of_the_library_is_refused(
    selection: Selection, shelf: Shelf, target: str
) -> None:
    link = shelf.refs / "evil" / "latest" / "x86_64"
    link.parent.mkdir(parents=True)
    link.symlink_to(target)
    with pytest.raises(ImageError, match="no object of this library"):
        selection.find("evil")
    assert "evil" not in {label.reference.name for label in shelf.labels()}


def test_the_index_is_the_links(shelf: Shelf) -> None:
    link = shelf.refs / "my" / "arm" / "latest" / "aarch64"
    assert str(link.readlink()) == f"../../../../objects/{SECOND}"
    assert link.resolve() == shelf.object_folder(SECOND)
    assert [str(one.reference) for one in shelf.labels()] == [
        "debian:12", "debian:12", "debian:latest", "my/arm:latest",
    ]  # fmt: skip
    assert shelf.unlabel(Reference("my/arm"), Arch.AARCH64)
    assert not (shelf.refs / "my").exists()
    assert not shelf.unlabel(Reference("my/arm"), Arch.AARCH64)


@pytest.mark.parametrize("selector", ["folder", "build id", "part"])
def test_an_architecture_is_a_promise_for_folders_and_build_ids_too(
    tmp_path: Path, selector: str
) -> None:
    manifest = write_small_image(tmp_path / "image")
    shelf = Shelf(tmp_path / "images")
    write_small_image(shelf.object_folder(manifest.build_id))
    word = {
        "folder": str(tmp_path / "image"),
        "build id": manifest.build_id,
        "part": manifest.build_id[:9],
    }[selector]
    selection = Selection(shelf=shelf, host=Arch.AARCH64)
    assert selection.find(word, arch=Arch.X86_64).arch is Arch.X86_64
    with pytest.raises(PlatformNotFound, match="is for x86_64, not for aarch64"):
        selection.find(word, arch=Arch.AARCH64)


def test_another_image_under_a_build_id(selection: Selection, shelf: Shelf) -> None:
    """It is whole, and agrees with itself: only its place tells that it was put there."""
    write_small_image(shelf.object_folder(FIRST), "third")
    for word in (FIRST, "debian", FIRST[:12]):
        with pytest.raises(ImageError, match=f"holds another image, {THIRD}"):
            selection.find(word)
    assert selection.find_in_library("debian").build_id == FIRST
