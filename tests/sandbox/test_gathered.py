"""Files that lie in pieces on a disk are read as one, with holes where zeros are."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bootsmith.host.sandbox.capture import difference, look
from bootsmith.host.sandbox.holes import HOLE_BYTES, SPARSE_FROM_BYTES
from bootsmith.model.digest import Digest
from bootsmith.model.streams import BytesSource
from bootsmith.sandbox.gathered import GatheredContents
from bootsmith.sandbox.stored import SCRATCH
from bootsmith.tree.entry import EMPTY, BlobSlice, Content, Run, SparseContent

DISK = Digest.of(b"the disk")
BLOCK = 4096


def on_disk(data: bytes, *, seed: int) -> tuple[BytesSource, Content]:
    """``data`` in blocks scattered over a disk; some blocks of zeros are written, some are not."""
    generator = random.Random(seed)
    blocks = [(at, data[at : at + BLOCK]) for at in range(0, len(data), BLOCK)]
    written = [one for one in blocks if one[1].strip(b"\0") or generator.random() < 0.5]
    order = list(range(len(written)))
    generator.shuffle(order)
    place = {index: position * BLOCK for position, index in enumerate(order)}
    disk = bytearray(b"\xaa" * (BLOCK * len(written)))
    runs = []
    for index, (at, block) in enumerate(written):
        disk[place[index] : place[index] + len(block)] = block
        runs.append(Run(at, BlobSlice(DISK, place[index], len(block))))
    return BytesSource(disk), SparseContent(len(data), tuple(runs))


def filled(*stretches: tuple[int, int], size: int) -> bytes:
    """Zeros with stretches of other bytes."""
    data = bytearray(size)
    for start, end in stretches:
        data[start:end] = bytes(1 + at % 255 for at in range(start, end))
    return bytes(data)


SHAPES = {
    "nothing": b"",
    "one byte": b"x",
    "small, all zeros": bytes(100_000),
    "small, with a gap": filled((0, 10), (90_000, 90_010), size=100_000),
    "just too small for holes": bytes(SPARSE_FROM_BYTES - 1),
    "all hole": bytes(SPARSE_FROM_BYTES),
    "data only": filled((0, SPARSE_FROM_BYTES + 5), size=SPARSE_FROM_BYTES + 5),
    "data at both ends": filled((0, 1), (1_999_999, 2_000_000), size=2_000_000),
    "across a seam": filled((HOLE_BYTES * 3 - 1, HOLE_BYTES * 3 + 1), size=SPARSE_FROM_BYTES * 2),
    "an odd tail": filled((SPARSE_FROM_BYTES, SPARSE_FROM_BYTES + 3), size=SPARSE_FROM_BYTES + 9),
}


@pytest.mark.parametrize("data", SHAPES.values(), ids=SHAPES)
def test_it_is_what_the_capture_of_a_folder_tells(data: bytes, tmp_path: Path) -> None:
    """The other executor's code is the judge: same bytes, same holes."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_bytes(data)
    root = bytes(tmp_path / "tree")
    with (tmp_path / "content").open("w+b") as content:
        found = difference(root, {}, look(root), ignored=(), content=content.fileno())
        record = next(one for one in found.changed if one.path == b"file")
        theirs = (tmp_path / "content").read_bytes()
    disk, content_on_disk = on_disk(data, seed=len(data))
    gathered = GatheredContents(disk)
    ours = gathered.add(content_on_disk)
    assert gathered.read_at(0, gathered.size_bytes) == theirs
    assert _shape(ours) == [(run.offset, run.source_offset, run.size_bytes) for run in record.runs]
    assert ours.size_bytes == record.size_bytes == len(data)


def test_several_files_lie_one_behind_the_other() -> None:
    disk = BytesSource(b"aaaabbbbcccc")
    gathered = GatheredContents(disk)
    first = gathered.add(BlobSlice(DISK, 4, 4))
    second = gathered.add(SparseContent(6, (Run(4, BlobSlice(DISK, 8, 2)),)))
    assert gathered.add(EMPTY) == EMPTY
    assert (first, second) == (BlobSlice(SCRATCH, 0, 4), BlobSlice(SCRATCH, 4, 6))
    assert gathered.read_at(0, 100) == b"bbbb\0\0\0\0cc"
    assert [gathered.read_at(at, 3) for at in (3, 7, 9, 10)] == [b"b\0\0", b"\0cc", b"c", b""]


def _shape(content: Content) -> list[tuple[int, int, int]]:
    if isinstance(content, SparseContent):
        pieces = [(run.offset, run.data) for run in content.runs]
    else:
        pieces = [(0, content)] if content.size_bytes else []
    found = []
    for offset, data in pieces:
        assert isinstance(data, BlobSlice)
        assert data.blob == SCRATCH
        found.append((offset, data.offset, data.size_bytes))
    return found
