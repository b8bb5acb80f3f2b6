"""Any tree put on disk and captured from there is the same tree."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given

from bootsmith.host.files import FileSource
from bootsmith.host.sandbox import capture
from bootsmith.host.sandbox.materialise import Materialiser
from bootsmith.model.digest import Digest
from bootsmith.sandbox.records import to_members, to_records
from bootsmith.tree.entry import Directory, Entry, HardLink, RegularFile
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer, overlay
from tests.support.examples import examples
from tests.support.memory_blobs import MemoryBlobs
from tests.support.tree_comparison import differences
from tests.support.trees import trees

_OLDEST_NS = -(1 << 30) * 1_000_000_000
_NEWEST_NS = (1 << 33) * 1_000_000_000
CONTENT = Digest.of(b"stands for the captured data")


class Captured(MemoryBlobs):
    """Blobs among which the captured data is."""

    def __init__(self, data: Path) -> None:
        super().__init__()
        self._data = data

    def open_blob(self, blob: Digest) -> FileSource:  # type: ignore[override]
        assert blob == CONTENT
        return FileSource(self._data)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@examples(40, suppress_health_check=list(HealthCheck))
@given(trees())
def test_a_tree_survives_the_disk(tree: FileTree) -> None:
    tree = FileTree({path: _storable(entry) for path, entry in tree.items()})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "root").mkdir()
        root = bytes(folder / "root")
        records, blobs = to_records(tree)
        assert not blobs
        Materialiser(root, []).make(records)
        with (folder / "content").open("wb") as content:
            found = capture.difference(
                root, {}, capture.look(root), ignored=(), content=content.fileno()
            )
        assert not found.removed
        members = to_members(found.changed, found.removed, content=CONTENT)
        again = overlay(FileTree(), Layer(tuple(members)))
        assert dict(differences(tree, again, Captured(folder / "content"), times=True)) == {}


def _storable(entry: Entry) -> Entry:
    """Without what Linux stores with files and directories only, and times out of ext4's reach."""
    if isinstance(entry, HardLink):
        return entry
    mtime_ns = min(max(entry.metadata.mtime_ns, _OLDEST_NS), _NEWEST_NS)
    metadata = entry.metadata._replace(mtime_ns=mtime_ns)
    if not isinstance(entry, (RegularFile, Directory)):
        metadata = metadata._replace(xattrs=())
    return entry._replace(metadata=metadata)
