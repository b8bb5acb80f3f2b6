"""Taking images in: what is kept was checked, and what is not right leaves no trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bootsmith.errors import ImageError, InvalidImage, UnsafePath
from bootsmith.manifest.manifest import MANIFEST_NAME, decode_manifest, encode_manifest
from bootsmith.model.arch import Arch
from bootsmith.sdk.library import Library, Outcome, Transfer
from tests.support.stored_images import change_manifest, reseal, write_small_image


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*"))


def assert_empty(library: Library) -> None:
    """Nothing was added, and nothing lies around."""
    assert library.images() == ()
    assert names(library.root / "objects") == names(library.root / "work") == []
    assert names(library.root / "refs") == []


def test_an_image_is_taken_in(library: Library, tmp_path: Path) -> None:
    manifest = write_small_image(tmp_path / "image")
    taken = library.take(tmp_path / "image", tags=["tools", "my/tools:1"])
    assert taken.outcome is Outcome.ADDED
    assert taken.folder == library.root / "objects" / manifest.build_id
    assert names(taken.folder) == names(tmp_path / "image")
    for path in taken.folder.iterdir():
        assert path.read_bytes() == (tmp_path / "image" / path.name).read_bytes()
        assert path.stat().st_mode & 0o777 == 0o444
    assert library.open("tools").folder == library.open("my/tools:1").folder == taken.folder
    library.open("tools").verify()


def test_holes_stay_and_zeros_become_some(library: Library, tmp_path: Path) -> None:
    write_small_image(tmp_path / "image")
    filled = tmp_path / "image" / "rootfs.ext4"
    filled.write_bytes(filled.read_bytes())  # as a copy that fills the holes leaves it
    assert filled.stat().st_blocks * 512 > 4 << 20
    library.take(tmp_path / "image")
    (image,) = library.images()
    assert image.use.apparent_bytes > 4 << 20
    assert image.use.allocated_bytes < 1 << 20


def test_again_is_no_work(library: Library, tmp_path: Path) -> None:
    write_small_image(tmp_path / "image")
    first = library.take(tmp_path / "image")
    inodes = {path.name: path.stat().st_ino for path in first.folder.iterdir()}
    again = library.take(tmp_path / "image", tags=["late"])
    assert again.outcome is Outcome.PRESENT
    assert {path.name: path.stat().st_ino for path in again.folder.iterdir()} == inodes
    assert library.open("late").folder == first.folder


def test_a_write_to_the_source_does_not_reach_the_library(library: Library, tmp_path: Path) -> None:
    write_small_image(tmp_path / "image")
    library.take(tmp_path / "image", tags=["kept"])
    with (tmp_path / "image" / "rootfs.ext4").open("r+b") as file:
        file.write(b"overwritten")
    library.open("kept").verify()


def test_links_take_no_room_and_protect_the_source(library: Library, tmp_path: Path) -> None:
    write_small_image(tmp_path / "image")
    taken = library.take(tmp_path / "image", transfer=Transfer.LINK)
    assert (taken.folder / "rootfs.ext4").samefile(tmp_path / "image" / "rootfs.ext4")
    assert (tmp_path / "image" / "rootfs.ext4").stat().st_mode & 0o222 == 0


def test_moving_leaves_only_strange_files(library: Library, tmp_path: Path) -> None:
    write_small_image(tmp_path / "image")
    (tmp_path / "image" / "notes.txt").write_text("mine")
    inode = (tmp_path / "image" / "rootfs.ext4").stat().st_ino
    taken = library.take(tmp_path / "image", transfer=Transfer.MOVE)
    assert names(tmp_path / "image") == ["notes.txt"]
    assert (taken.folder / "rootfs.ext4").stat().st_ino == inode
    assert not (taken.folder / "notes.txt").exists()


def test_what_cannot_be_taken_is_not_moved(library: Library, tmp_path: Path) -> None:
    write_small_image(tmp_path / "image")
    before = names(tmp_path / "image")
    (tmp_path / "image" / "vmlinuz-virt").write_bytes(b"other")
    with pytest.raises(InvalidImage):
        library.take(tmp_path / "image", transfer=Transfer.MOVE)
    assert names(tmp_path / "image") == before
    assert_empty(library)


def test_kernels_of_several_images_are_one_file(library: Library, tmp_path: Path) -> None:
    folders = []
    for text in ("one", "two"):
        write_small_image(tmp_path / text, text)
        folders.append(library.take(tmp_path / text, tags=[text]).folder)
    one, two = folders
    assert (one / "vmlinuz-virt").samefile(two / "vmlinuz-virt")
    assert not (one / "rootfs.ext4").samefile(two / "rootfs.ext4")
    singles = sum(image.use.allocated_bytes for image in library.images())
    assert library.total_use().allocated_bytes < singles


def test_a_damaged_file_gets_no_second_name(library: Library, tmp_path: Path) -> None:
    for text in ("one", "two"):
        write_small_image(tmp_path / text, text)
    kernel = library.take(tmp_path / "one").folder / "vmlinuz-virt"
    kernel.chmod(0o644)
    kernel.write_bytes(b"damaged")
    kernel.chmod(0o444)
    library.take(tmp_path / "two", tags=["two"])
    library.open("two").verify()


def test_a_damaged_image_is_mended_by_taking_it_again(library: Library, tmp_path: Path) -> None:
    write_small_image(tmp_path / "image")
    taken = library.take(tmp_path / "image", tags=["tools"])
    (taken.folder / "rootfs.ext4").unlink()
    (taken.folder / "rootfs.ext4").write_bytes(b"short")
    assert library.problems(taken.manifest.build_id)
    assert library.take(tmp_path / "image").outcome is Outcome.REPLACED
    assert library.problems(taken.manifest.build_id) == ()
    assert names(library.root / "objects") == [taken.manifest.build_id]


def test_the_same_files_with_another_manifest(library: Library, tmp_path: Path) -> None:
    """The build id follows from the files alone; the manifest taken in last is the one."""
    write_small_image(tmp_path / "image")
    library.take(tmp_path / "image", tags=["tools"])
    write_small_image(tmp_path / "image", rootfs_mode="memory")
    assert library.take(tmp_path / "image").outcome is Outcome.REPLACED
    assert library.open("tools").manifest.rootfs_mode == "memory"


def forged_build_id(folder: Path) -> None:
    change_manifest(folder, buildId="0f8fad5b-d9cb-569f-a165-70867728950e")


def tampered_rootfs(folder: Path) -> None:
    with (folder / "rootfs.ext4").open("r+b") as file:
        file.seek(2048)
        file.write(b"tampered")


def nine_bytes_of_rootfs(folder: Path) -> None:
    (folder / "rootfs.ext4").write_bytes(b"not ext4\n")
    reseal(folder)


def no_initramfs(folder: Path) -> None:
    (folder / "initramfs.cpio.lz4").write_bytes(b"not cpio\n")
    reseal(folder)


def cut_initramfs(folder: Path) -> None:
    (folder / "initramfs.cpio.lz4").write_bytes(b"\x02\x21\x4c\x18\xff\0\0\0 ")
    reseal(folder)


def no_kernel(folder: Path) -> None:
    (folder / "vmlinuz-virt").write_bytes(b"not ELF")
    reseal(folder)


def kernel_of_another_architecture(folder: Path) -> None:
    config = json.loads((folder / MANIFEST_NAME).read_text())["config"]
    change_manifest(folder, config={**config, "arch": "aarch64"})
    manifest = decode_manifest((folder / MANIFEST_NAME).read_bytes())
    (folder / MANIFEST_NAME).write_bytes(encode_manifest(manifest))


def missing_rootfs(folder: Path) -> None:
    (folder / "rootfs.ext4").unlink()


def linked_rootfs(folder: Path) -> None:
    (folder / "rootfs.ext4").rename(folder.parent / "elsewhere")
    (folder / "rootfs.ext4").symlink_to("../elsewhere")


def linked_manifest(folder: Path) -> None:
    (folder / MANIFEST_NAME).rename(folder.parent / "elsewhere")
    (folder / MANIFEST_NAME).symlink_to("../elsewhere")


def folder_for_a_file(folder: Path) -> None:
    (folder / "rootfs.ext4").unlink()
    (folder / "rootfs.ext4").mkdir()


def fifo_for_a_file(folder: Path) -> None:
    (folder / "rootfs.ext4").unlink()
    os.mkfifo(folder / "rootfs.ext4")


def asset_outside(folder: Path) -> None:
    assets = json.loads((folder / MANIFEST_NAME).read_text())["assets"]
    change_manifest(folder, assets={**assets, "rootfs": "../elsewhere"})


def absolute_asset(folder: Path) -> None:
    assets = json.loads((folder / MANIFEST_NAME).read_text())["assets"]
    change_manifest(folder, assets={**assets, "rootfs": "/etc/passwd"})


def no_manifest(folder: Path) -> None:
    (folder / MANIFEST_NAME).unlink()


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (forged_build_id, (InvalidImage, "buildId: claims 0f8fad5b")),
        (tampered_rootfs, (InvalidImage, "checksums.rootfs")),
        (nine_bytes_of_rootfs, (InvalidImage, "rootfs.ext4 is no root file system")),
        (no_initramfs, (InvalidImage, "initramfs.cpio.lz4 is no cpio archive")),
        (cut_initramfs, (InvalidImage, "initramfs.cpio.lz4 cannot be read")),
        (no_kernel, (InvalidImage, "vmlinuz-virt is no kernel")),
        (kernel_of_another_architecture, (InvalidImage, "a kernel for x86_64")),
        (missing_rootfs, (InvalidImage, "rootfs.ext4 is missing or no regular file")),
        (linked_rootfs, (InvalidImage, "rootfs.ext4 is missing or no regular file")),
        (linked_manifest, (ImageError, "manifest.json is missing or no file")),
        (folder_for_a_file, (InvalidImage, "rootfs.ext4 is missing or no regular file")),
        (fifo_for_a_file, (InvalidImage, "rootfs.ext4 is missing or no regular file")),
        (asset_outside, (UnsafePath, "not a plain file name")),
        (absolute_asset, (UnsafePath, "not a plain file name")),
        (no_manifest, (ImageError, "there is no image")),
    ],
)
@pytest.mark.parametrize("transfer", Transfer)
def test_what_is_not_right_is_refused(
    library: Library,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    expected: tuple[type[Exception], str],
    transfer: Transfer,
) -> None:
    write_small_image(tmp_path / "image")
    spoil(tmp_path / "image")
    before = names(tmp_path / "image")
    with pytest.raises(expected[0], match=expected[1]):
        library.take(tmp_path / "image", tags=["evil"], transfer=transfer)
    assert names(tmp_path / "image") == before
    assert_empty(library)


@pytest.mark.parametrize("tag", ["../x", "a/../../x", "/etc/x", ".", "x86_64", "a:..", ""])
def test_a_bad_name_is_refused_before_any_work(library: Library, tmp_path: Path, tag: str) -> None:
    write_small_image(tmp_path / "image")
    with pytest.raises(ImageError, match="no image name"):
        library.take(tmp_path / "image", tags=[tag])
    assert not library.root.exists()
    assert names(tmp_path) == ["image"]


def test_many_at_once(library: Library, tmp_path: Path) -> None:
    """Threads that take the same images in, name them and remove them; all ends well."""
    for text in ("one", "two"):
        write_small_image(tmp_path / text, text)

    def work(number: int) -> None:
        own = Library(library.root)
        for turn in range(4):
            text = ("one", "two")[(number + turn) % 2]
            own.take(tmp_path / text, tags=[f"{text}:{number}"])
            own.open(f"{text}:{number}").verify()
            if turn % 2:
                own.remove(f"{text}:{number}")
            own.prune()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, number) for number in range(4)]:
            done.result()
    assert all(library.problems(image.build_id) == () for image in library.images())
    assert all(image.labels for image in library.images())


_TAKE = (
    "import sys; from pathlib import Path; from bootsmith.sdk.library import Library\n"
    "print('ready', flush=True)\n"
    "while True:\n"
    "    library = Library(sys.argv[1])\n"
    "    library.take(sys.argv[2], tags=['killed'])\n"
    "    library.remove('killed')\n"
)


@pytest.mark.slow
@pytest.mark.parametrize("delay_ms", [0, 3, 8, 15, 30, 55])
def test_killed_at_any_moment(library: Library, tmp_path: Path, delay_ms: int) -> None:
    manifest = write_small_image(tmp_path / "image")
    with subprocess.Popen(
        [sys.executable, "-c", _TAKE, library.root, tmp_path / "image"],
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        threading.Event().wait(delay_ms / 1000)
        process.send_signal(signal.SIGKILL)
    for image in library.images():
        assert library.problems(image.build_id) == ()
    library.prune()
    taken = library.take(tmp_path / "image", tags=["after"])
    library.open("after").verify()
    assert names(library.root / "objects") == [manifest.build_id]
    assert names(library.root / "work") == []
    assert taken.manifest.arch is Arch.X86_64
