"""Files of the host come into a tree where they are wanted, and destroy nothing there."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootsmith.errors import BootsmithError, ConfigError
from bootsmith.model.guest_path import guest_path
from bootsmith.pipeline.copy_in import copy_in, take_in
from bootsmith.store.blobs import Store
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import Directory, InlineBytes, Metadata, RegularFile, Symlink
from bootsmith.tree.file_tree import FileTree, TreeBuilder

EPOCH_S = 1_700_000_000
FOLDER = Directory(Metadata(0o755))
TREE = FileTree(
    {
        guest_path("usr"): FOLDER,
        guest_path("usr/bin"): Directory(Metadata(0o711, uid=5)),
        guest_path("bin"): Symlink(Metadata(0o777), b"usr/bin"),
        guest_path("etc"): FOLDER,
        guest_path("etc/passwd"): RegularFile(Metadata(0o644), InlineBytes(b"root")),
    }
)


def copied(source: Path, target: str, tmp_path: Path) -> tuple[FileTree, Store]:
    store = Store(tmp_path / "store")
    return copy_in(TREE, take_in(source, store), target, store, epoch_s=EPOCH_S), store


def content(tree: FileTree, path: str, store: Store) -> bytes:
    entry = tree[guest_path(path)]
    assert isinstance(entry, RegularFile)
    return read_content(entry.content, blobs=store)


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    path = tmp_path / "tool"
    path.write_text("tool")
    path.chmod(0o4750)
    return path


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("/opt/new/name", "opt/new/name"),
        ("/opt/new/", "opt/new/tool"),
        ("/bin", "usr/bin/tool"),
        ("/usr/bin/", "usr/bin/tool"),
        ("/etc/passwd", "etc/passwd"),
    ],
)
def test_a_file_goes_where_cp_would_put_it(
    tool: Path, tmp_path: Path, target: str, place: str
) -> None:
    tree, store = copied(tool, target, tmp_path)
    assert content(tree, place, store) == b"tool"
    entry = tree.inode(guest_path(place))
    assert entry.metadata == Metadata(0o4750, 0, 0, EPOCH_S * 10**9)
    assert tree[guest_path("usr/bin")] == TREE[guest_path("usr/bin")]


def test_new_parents_bear_the_time_of_the_build(tool: Path, tmp_path: Path) -> None:
    tree, _ = copied(tool, "/opt/new/name", tmp_path)
    for path in ("opt", "opt/new"):
        assert tree.inode(guest_path(path)).metadata.mtime_ns == EPOCH_S * 10**9


def test_a_folder_is_merged(tmp_path: Path) -> None:
    source = tmp_path / "folder"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "file").write_text("x")
    (source / "link").symlink_to("deep/file")
    tree, store = copied(source, "/bin", tmp_path)
    assert content(tree, "usr/bin/deep/file", store) == b"x"
    assert isinstance(tree[guest_path("usr/bin/link")], Symlink)
    assert tree[guest_path("usr/bin")] == TREE[guest_path("usr/bin")]


@pytest.mark.parametrize("leads", ["nowhere", "/etc/passwd", "../../../etc/shadow", "folder", "me"])
@pytest.mark.parametrize(
    ("target", "place"),
    [("/opt/new/name", "opt/new/name"), ("/opt/", "opt/me"), ("/bin", "usr/bin/me")],
)
def test_a_link_is_copied_as_a_link_wherever_it_leads(
    leads: str, target: str, place: str, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("x")
    (tmp_path / "me").symlink_to(leads)
    tree, _ = copied(tmp_path / "me", target, tmp_path)
    assert tree[guest_path(place)] == Symlink(
        Metadata(0o777, mtime_ns=EPOCH_S * 10**9), leads.encode()
    )
    assert not [path for path in tree if path.endswith((b"file", b"shadow"))]


def test_a_link_takes_the_place_of_a_link_and_does_not_lead_to_itself(tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to("python3")
    tree = TreeBuilder(TREE)
    tree.put(guest_path("usr/bin/python3"), TREE[guest_path("etc/passwd")])
    tree.put(guest_path("usr/bin/python"), Symlink(Metadata(0o777), b"/usr/bin/python3"))
    store = Store(tmp_path / "store")
    layer = take_in(tmp_path / "python", store)
    found = copy_in(tree.build(), layer, "/usr/bin/python", store, epoch_s=EPOCH_S)
    assert found.resolve(guest_path("usr/bin/python")) == guest_path("usr/bin/python3")
    assert isinstance(found[guest_path("usr/bin/python3")], RegularFile)


def test_a_file_copied_below_a_copied_link_stays_in_the_image(tool: Path, tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("../../../../../../tmp/canary")
    store = Store(tmp_path / "store")
    tree = copy_in(TREE, take_in(tmp_path / "out", store), "/out", store, epoch_s=EPOCH_S)
    tree = copy_in(tree, take_in(tool, store), "/out/tool", store, epoch_s=EPOCH_S)
    assert [path for path in tree if path.endswith(b"/tool")] == [guest_path("out/tool")]


@pytest.mark.parametrize("target", ["/etc/passwd/x", "/etc/passwd/x/y"])
def test_nothing_is_put_below_a_file(tool: Path, tmp_path: Path, target: str) -> None:
    with pytest.raises(ConfigError, match="/etc/passwd is a file"):
        copied(tool, target, tmp_path)


def test_a_folder_does_not_take_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="/etc/passwd is a file"):
        copied(tmp_path / "folder", "/etc/passwd", tmp_path)


def test_a_file_whose_size_nobody_knows_comes_whole(tmp_path: Path) -> None:
    tree, store = copied(Path("/proc/self/status"), "/status", tmp_path)
    assert b"Name:" in content(tree, "status", store)


def test_what_cannot_be_copied_is_named(tmp_path: Path) -> None:
    with pytest.raises(BootsmithError, match="missing"):
        copied(tmp_path / "missing", "/x", tmp_path)
