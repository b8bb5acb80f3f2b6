"""Images as archives: out and in again, other people's, and hostile ones."""

from __future__ import annotations

import bz2
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bootsmith.errors import ArchiveError, HostError, ImageError, UnsafePath
from bootsmith.image.compression import Compression, compressed
from bootsmith.sdk.image import Image
from bootsmith.sdk.library import Library
from tests.support.image_archives import (
    archive,
    file_member,
    gzipped,
    link_member,
    other_member,
)
from tests.support.judges import judge
from tests.support.stored_images import write_small_image


@pytest.fixture
def image(tmp_path: Path) -> Path:
    write_small_image(tmp_path / "image")
    return tmp_path / "image"


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz", "a.tar.zst"])
def test_out_and_in_again(library: Library, tmp_path: Path, image: Path, name: str) -> None:
    taken = library.take(image, tags=["tools"])
    library.export("tools", tmp_path / name)
    other = Library(tmp_path / "other")
    again = other.take(tmp_path / name, tags=["tools"])
    assert again.manifest == taken.manifest
    for path in taken.folder.iterdir():
        assert (again.folder / path.name).read_bytes() == path.read_bytes()
    assert (again.folder / "rootfs.ext4").stat().st_blocks * 512 < 1 << 20


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.zst"])
def test_the_same_image_is_the_same_archive(
    library: Library, tmp_path: Path, image: Path, name: str
) -> None:
    library.take(image, tags=["tools"])
    for folder in ("one", "two"):
        library.export("tools", tmp_path / folder / name)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.judge
@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.zst"])
def test_tar_unpacks_what_was_exported(
    library: Library, tmp_path: Path, image: Path, name: str
) -> None:
    library.take(image, tags=["tools"])
    library.export("tools", tmp_path / name)
    (tmp_path / "out").mkdir()
    judge("tar", "-xf", tmp_path / name, "-C", tmp_path / "out")
    for path in image.iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.judge
@pytest.mark.parametrize("words", [("-czf",), ("-cSzf",), ("--format=gnu", "-czf")])
def test_what_tar_packed_is_taken_in(
    library: Library, tmp_path: Path, image: Path, words: tuple[str, ...]
) -> None:
    """As Gondolin's images are made: ``tar -C folder -czf image.tar.gz .``"""
    judge("tar", "-C", image, *words, tmp_path / "a.tar.gz", ".")
    library.take(tmp_path / "a.tar.gz", tags=["tools"])
    library.open("tools").verify()


@pytest.mark.parametrize(
    "compress",
    [
        bytes,
        gzipped,
        lzma.compress,
        lambda data: compressed(data, Compression.ZSTD),
    ],
)
def test_the_compression_is_found_out(
    library: Library, tmp_path: Path, image: Path, compress: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "image.bin").write_bytes(compress(archive(image)))
    library.take(tmp_path / "image.bin")


@pytest.mark.parametrize("prefix", ["", "./", "/"])
def test_names_are_taken_from_the_top(
    library: Library, tmp_path: Path, image: Path, prefix: str
) -> None:
    (tmp_path / "a.tar").write_bytes(archive(image, prefix=prefix))
    library.take(tmp_path / "a.tar")


def test_what_else_is_in_it_is_left_out(library: Library, tmp_path: Path, image: Path) -> None:
    more = [file_member("notes.txt", b"x"), file_member("deep/vmlinuz-virt", b"x")]
    (tmp_path / "a.tar").write_bytes(archive(image, after=more))
    taken = library.take(tmp_path / "a.tar")
    assert sorted(path.name for path in taken.folder.iterdir()) == sorted(
        path.name for path in image.iterdir()
    )


@pytest.mark.parametrize(
    "member",
    [
        link_member("vmlinuz-virt", "/etc/passwd"),
        link_member("rootfs.ext4", "../../../../etc/passwd"),
        link_member("harmless", "vmlinuz-virt"),
        link_member("rootfs.ext4", "/etc/passwd", hard=True),
        link_member("rootfs.ext4", "vmlinuz-virt", hard=True),
        link_member("sub", "/tmp"),
        other_member("vmlinuz-virt", tarfile.CHRTYPE),
        other_member("vmlinuz-virt", tarfile.FIFOTYPE),
        file_member("../escaped", b"x"),
        file_member("sub/../../escaped", b"x"),
        file_member("/../escaped", b"x"),
    ],
    ids=lambda member: f"{member[0].name}-{member[0].type!r}",
)
@pytest.mark.parametrize("first", [True, False])
def test_links_and_ways_out_are_refused(
    library: Library,
    tmp_path: Path,
    image: Path,
    member: tuple[tarfile.TarInfo, bytes],
    first: bool,
) -> None:
    before, after = ([member], []) if first else ([], [member])
    data = archive(image, before=before, after=after)
    (tmp_path / "evil.tar.gz").write_bytes(gzipped(data))
    with pytest.raises(UnsafePath):
        library.take(tmp_path / "evil.tar.gz", tags=["evil"])
    assert library.images() == ()
    assert list((library.root / "work").iterdir()) == []
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no archive of an image"),
        (b"not a tar" * 100, "no archive of an image"),
        (archive(), "no archive of an image"),  # nothing is in it
        (gzipped(archive())[:-9], "cut off"),
        (gzipped(archive())[:30] + b"damaged!" * 8, "damaged"),
        (bz2.compress(archive()), "compressed with bzip2"),
    ],
)
def test_what_is_no_archive(library: Library, tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "a.tar.gz").write_bytes(data)
    with pytest.raises(ArchiveError, match=says):
        library.take(tmp_path / "a.tar.gz")
    assert list((library.root / "work").iterdir()) == []


def test_an_image_below_the_top_says_how_to_pack(
    library: Library, tmp_path: Path, image: Path
) -> None:
    (tmp_path / "a.tar").write_bytes(archive(image, prefix="image/"))
    with pytest.raises(ArchiveError, match="holds no image") as told:
        library.take(tmp_path / "a.tar")
    assert "not the folder" in (told.value.hint or "")


def test_a_folder_comes_out_as_the_callers_own(
    library: Library, tmp_path: Path, image: Path
) -> None:
    library.take(image, tags=["tools"])
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    library.export("tools", out)
    assert (out / "notes.txt").read_text() == "mine"
    with (out / "rootfs.ext4").open("r+b") as file:
        file.write(b"mine")
    library.open("tools").verify()


def test_a_folder_that_is_there_stays_itself(
    library: Library, tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.take(image, tags=["tools"])
    out = tmp_path / "out"
    out.mkdir(0o700)
    before = out.stat()
    monkeypatch.chdir(out)
    for _ in range(2):
        library.export("tools", ".")
        assert Path.cwd() == out
        Image.open(".").verify()
    assert (out.stat().st_ino, out.stat().st_mode) == (before.st_ino, before.st_mode)


@pytest.mark.parametrize("name", ["manifest.json", "rootfs.ext4"])
def test_files_of_no_image_are_not_replaced(
    library: Library, tmp_path: Path, image: Path, name: str
) -> None:
    library.take(image, tags=["tools"])
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("{}")
    with pytest.raises(HostError, match=f"holds a {name}"):
        library.export("tools", out)
    assert [path.name for path in out.iterdir()] == [name]
    assert (out / name).read_text() == "{}"


def test_a_folder_of_links(library: Library, tmp_path: Path, image: Path) -> None:
    taken = library.take(image, tags=["tools"])
    library.export("tools", tmp_path / "out", link=True)
    assert (tmp_path / "out" / "rootfs.ext4").samefile(taken.folder / "rootfs.ext4")


def test_a_damaged_image_is_not_handed_out(library: Library, tmp_path: Path, image: Path) -> None:
    taken = library.take(image, tags=["tools"])
    (taken.folder / "rootfs.ext4").chmod(0o644)
    (taken.folder / "rootfs.ext4").write_bytes(b"x")
    for target in ("out", "out.tar"):
        with pytest.raises(ImageError, match="not what its manifest says"):
            library.export("tools", tmp_path / target)
        assert not (tmp_path / target).exists()


@pytest.mark.parametrize("name", ["a.tar.xz", "a.tar.bz2", "a.zip", "a.txz"])
def test_a_form_that_is_not_written(
    library: Library, tmp_path: Path, image: Path, name: str
) -> None:
    library.take(image, tags=["tools"])
    with pytest.raises(ImageError, match="no form of archive") as told:
        library.export("tools", tmp_path / name)
    assert ".tar.zst" in (told.value.hint or "")
    assert not (tmp_path / name).exists()
