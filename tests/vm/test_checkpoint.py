from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootsmith.errors import HostError, VMError
from bootsmith.vm.checkpoint import build_id_of, place_for, save_changes
from bootsmith.vm.drives import with_overlays
from bootsmith.vm.machine import DiskFormat, DiskMode, Drive
from tests.support.judges import judge, require
from tests.support.qcow2_files import qcow2_header

BUILD_ID = "7b6ed0c0-7e7f-5c2a-8b2d-0bf3d5be9d52"
MIB = 1 << 20


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Drive]:
    require("qemu-img")
    require("qemu-io")
    path = tmp_path / "image" / "rootfs, raw.ext4"
    path.parent.mkdir()
    path.write_bytes(b"\1" * 8 * MIB)
    yield Drive(path=path)
    assert path.read_bytes() == b"\1" * 8 * MIB, "the image itself never changes"


def overlay_of(drive: Drive, folder: Path) -> Path:
    folder.mkdir()
    (opened,) = with_overlays((drive,), folder)
    assert (opened.format, opened.mode) == (DiskFormat.QCOW2, DiskMode.COW)
    return opened.path


def write(overlay: Path, byte: int, offset: str) -> None:
    judge("qemu-io", "-f", "qcow2", "-c", f"write -P {byte} {offset} 64k", overlay)


def holds(overlay: Path, byte: int, offset: str) -> bool:
    said = judge("qemu-io", "-f", "qcow2", "-c", f"read -P {byte} {offset} 64k", overlay)
    return "verification failed" not in said


def save(overlay: Path, target: Path, image: Drive) -> None:
    with place_for(target, overlay=overlay, image=image.path) as place:
        save_changes(
            overlay, target, place=place,
            image=image.path, image_format=image.format, build_id=BUILD_ID,
        )  # fmt: skip


def test_changes_survive_a_move_of_everything(tmp_path: Path, image: Drive) -> None:
    first = overlay_of(image, tmp_path / "one")
    write(first, 7, "1M")
    checkpoint = tmp_path / "saved.qcow2"
    save(first, checkpoint, image)
    assert build_id_of(checkpoint) == BUILD_ID
    assert checkpoint.stat().st_size < MIB, "only what has changed is kept"

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved_image = elsewhere / "rootfs"
    moved_image.write_bytes(image.path.read_bytes())
    moved = elsewhere / "other.qcow2"
    checkpoint.rename(moved)
    before = moved.read_bytes()
    second = overlay_of(Drive(path=moved_image, checkpoint=moved), tmp_path / "two")
    assert holds(second, 7, "1M")
    assert holds(second, 1, "2M")
    write(second, 9, "2M")
    assert moved.read_bytes() == before, "resuming does not change the checkpoint"

    again = tmp_path / "again.qcow2"
    save(second, again, image)
    third = overlay_of(Drive(path=image.path, checkpoint=again), tmp_path / "three")
    assert holds(third, 7, "1M")
    assert holds(third, 9, "2M")


def test_a_disk_can_be_larger_than_its_image(tmp_path: Path, image: Drive) -> None:
    grown = overlay_of(Drive(path=image.path, size_bytes=64 * MIB), tmp_path / "grown")
    write(grown, 5, "60M")
    assert holds(grown, 0, "40M")
    checkpoint = tmp_path / "saved"
    save(grown, checkpoint, image)
    resumed = overlay_of(Drive(path=image.path, checkpoint=checkpoint), tmp_path / "resumed")
    assert holds(resumed, 5, "60M")


@pytest.mark.parametrize("mode", [DiskMode.READONLY, DiskMode.MEMORY, DiskMode.WRITABLE])
def test_only_a_copy_on_write_disk_grows(tmp_path: Path, image: Drive, mode: DiskMode) -> None:
    with pytest.raises(VMError, match=mode.value):
        with_overlays((Drive(path=image.path, mode=mode, size_bytes=MIB),), tmp_path)
    assert with_overlays((Drive(path=image.path, mode=mode),), tmp_path) == (
        Drive(path=image.path, mode=mode),
    )


@pytest.mark.parametrize(
    "content",
    [b"", b"QFI\xfb", b"no qcow2 at all, but long enough", b"QFI\xfb" + b"\xff" * 100],
    ids=["empty", "cut", "another file", "hostile header"],
)
def test_what_is_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(VMError, match="no checkpoint"):
        build_id_of(path)


def test_another_qcow2_is_no_checkpoint(tmp_path: Path, image: Drive) -> None:
    overlay = overlay_of(image, tmp_path / "one")
    with pytest.raises(VMError, match="no checkpoint"):
        build_id_of(overlay)
    with pytest.raises(VMError, match="no checkpoint"):
        overlay_of(Drive(path=image.path, checkpoint=overlay), tmp_path / "two")


OUR_IMAGE = f"bootsmith-image:{BUILD_ID}".encode()


@pytest.mark.parametrize(
    ("content", "good"),
    [
        (qcow2_header(backing=OUR_IMAGE), True),
        (qcow2_header(backing=OUR_IMAGE, version=2), True),
        (qcow2_header(backing=OUR_IMAGE, features=1 << 2), False),  # an external data file
        (qcow2_header(backing=OUR_IMAGE, features=1 << 63), False),
        (qcow2_header(backing=OUR_IMAGE, encryption=2), False),
        (qcow2_header(backing=OUR_IMAGE, version=4), False),
        (qcow2_header(backing=b"/etc/shadow"), False),
        (qcow2_header(backing=b"json:{}"), False),
        (qcow2_header(backing=b"bootsmith-image:../../etc"), False),
        (qcow2_header(backing=b"bootsmith-image:\x1b]0;title\x07" + bytes(28)), False),
        (qcow2_header(), False),
    ],
)
def test_a_checkpoint_leads_to_its_image_and_to_nothing_else(
    tmp_path: Path, content: bytes, good: bool
) -> None:
    path = tmp_path / "checkpoint"
    path.write_bytes(content)
    if good:
        assert build_id_of(path) == BUILD_ID
    else:
        with pytest.raises(VMError, match="no checkpoint"):
            build_id_of(path)


def test_a_stranger_s_disk_reads_no_other_file_of_this_machine(
    tmp_path: Path, image: Drive
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"\7" * MIB)
    based, apart, plain = (tmp_path / f"{name}.qcow2" for name in ("based", "apart", "plain"))
    judge("qemu-img", "create", "-f", "qcow2", "-F", "raw", "-b", secret, based)
    options = f"data_file={tmp_path / 'data'}"
    judge("qemu-img", "create", "-f", "qcow2", "-o", options, apart, str(MIB))
    judge("qemu-img", "create", "-f", "qcow2", plain, str(MIB))
    assert holds(based, 7, "0"), "QEMU itself would read it"
    for mode in DiskMode:
        for hostile in (based, apart):
            drive = Drive(path=hostile, format=DiskFormat.QCOW2, mode=mode)
            with pytest.raises(VMError, match="is not used"):
                with_overlays((drive,), tmp_path)
    overlay_of(Drive(path=plain, format=DiskFormat.QCOW2), tmp_path / "overlays")
    # The same as a checkpoint: its backing file is replaced, its data file would not be.
    judge("qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", OUR_IMAGE.decode(), apart)
    with pytest.raises(VMError, match="no checkpoint"):
        overlay_of(Drive(path=image.path, checkpoint=apart), tmp_path / "two")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_checkpoint_that_cannot_be_written(tmp_path: Path, image: Drive) -> None:
    overlay = overlay_of(image, tmp_path / "one")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(HostError):
        save(overlay, closed / "saved", image)
    assert list(closed.iterdir()) == []


def test_a_folder_that_does_not_exist(tmp_path: Path, image: Drive) -> None:
    overlay = overlay_of(image, tmp_path / "one")
    with pytest.raises(HostError):
        save(overlay, tmp_path / "nowhere" / "saved", image)


def test_a_folder_in_place_of_the_file(tmp_path: Path, image: Drive) -> None:
    overlay = overlay_of(image, tmp_path / "one")
    with pytest.raises(HostError, match="it is a folder"):
        save(overlay, tmp_path, image)


def test_no_room_is_known_before(
    tmp_path: Path, image: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    overlay = overlay_of(image, tmp_path / "one")
    monkeypatch.setattr("bootsmith.vm.checkpoint.free_bytes", lambda _: 4096)
    with (
        pytest.raises(HostError, match="no room for the checkpoint"),
        place_for(tmp_path / "saved", overlay=overlay, image=image.path),
    ):
        raise AssertionError("there is no such place")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image", "one"]


def test_an_image_that_was_moved_is_known_before(tmp_path: Path, image: Drive) -> None:
    overlay = overlay_of(image, tmp_path / "one")
    missing = tmp_path / "elsewhere"
    with (
        pytest.raises(HostError, match="elsewhere"),
        place_for(tmp_path / "saved", overlay=overlay, image=missing),
    ):
        raise AssertionError("there is no such place")
