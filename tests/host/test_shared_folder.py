"""A shared folder under attack: nothing outside is ever read, written, made or removed."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bootsmith.errors import HostError
from bootsmith.host.shared_folder import Access, SharedFolder, ShareRefused


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret")
    yield folder
    assert [path.name for path in folder.iterdir()] == ["secret"]
    assert (folder / "secret").read_text() == "secret"


@pytest.fixture
def inside(tmp_path: Path, outside: Path) -> Path:
    folder = tmp_path / "inside"
    (folder / "sub").mkdir(parents=True)
    (folder / "file").write_text("content")
    (folder / "out").symlink_to(outside)
    (folder / "out-file").symlink_to(outside / "secret")
    (folder / "up").symlink_to("..")
    return folder


@pytest.fixture
def share(inside: Path) -> Iterator[SharedFolder]:
    shared = SharedFolder(inside)
    yield shared
    shared.close()


def refused(operation: Callable[[], object]) -> int:
    with pytest.raises(ShareRefused) as caught:
        operation()
    return caught.value.number


ESCAPES: dict[str, Callable[[SharedFolder], object]] = {
    "read through a link to a folder": lambda s: s.open(("out", "secret"), Access.READ),
    "read a link to a file": lambda s: s.open(("out-file",), Access.READ),
    "read by climbing": lambda s: s.open(("up", "outside", "secret"), Access.READ),
    "write through a link": lambda s: s.open(("out", "secret"), Access.WRITE, truncate=True),
    "write a link to a file": lambda s: s.open(("out-file",), Access.BOTH, truncate=True),
    "create through a link": lambda s: s.create(("out", "new"), Access.WRITE, mode=0o644),
    "create where a link is": lambda s: s.create(("out-file",), Access.WRITE, mode=0o644),
    "list through a link": lambda s: s.names(("out",)),
    "look through a link": lambda s: s.facts(("out", "secret")),
    "make a directory": lambda s: s.make_directory(("out", "new"), mode=0o755),
    "make a link": lambda s: s.make_symlink(("out", "new"), "secret"),
    "make a hard link out": lambda s: s.link(("file",), ("out", "new")),
    "make a hard link in": lambda s: s.link(("out", "secret"), ("stolen",)),
    "move out": lambda s: s.rename(("file",), ("out", "new")),
    "move in": lambda s: s.rename(("out", "secret"), ("stolen",)),
    "remove": lambda s: s.remove_file(("out", "secret")),
    "truncate through a link": lambda s: s.truncate(("out", "secret"), 0),
    "truncate a link": lambda s: s.truncate(("out-file",), 0),
}


@pytest.mark.parametrize("name", ESCAPES)
def test_no_way_out(share: SharedFolder, name: str) -> None:
    assert refused(lambda: ESCAPES[name](share)) in (errno.ENOTDIR, errno.ELOOP, errno.EACCES)


def test_a_link_itself_can_be_seen_and_removed(share: SharedFolder, inside: Path) -> None:
    assert share.target(("up",)) == ".."
    assert share.facts(("out-file",)).mode & 0o170000 == 0o120000
    share.link(("out-file",), ("again",))
    assert (inside / "again").is_symlink()
    share.remove_file(("out",))
    assert not (inside / "out").is_symlink()


def test_a_folder_that_becomes_a_link_while_it_is_used(
    share: SharedFolder, inside: Path, outside: Path
) -> None:
    (inside / "sub" / "secret").write_text("harmless")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (inside / "sub").rename(inside / "away")
            (inside / "sub").symlink_to(outside)
            (inside / "sub").unlink()
            (inside / "away").rename(inside / "sub")

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(2000):
            try:
                opened = share.open(("sub", "secret"), Access.READ)
            except ShareRefused:
                continue
            assert opened.read(0, 100) == b"harmless"
            opened.close()
    finally:
        stop.set()
        swapper.join()


def test_special_files_are_not_opened(share: SharedFolder, inside: Path) -> None:
    os.mkfifo(inside / "pipe")
    assert refused(lambda: share.open(("pipe",), Access.READ)) == errno.EACCES
    assert refused(lambda: share.open(("sub",), Access.READ)) == errno.EACCES
    assert refused(lambda: share.create(("pipe",), Access.WRITE, mode=0o644)) in (
        errno.EACCES,
        errno.ENXIO,
    )


def test_no_set_user_id_programs(share: SharedFolder, inside: Path) -> None:
    share.create(("program",), Access.WRITE, mode=0o6755).close()
    share.make_directory(("folder",), mode=0o7777)
    assert (inside / "program").stat().st_mode & 0o7000 == 0
    assert (inside / "folder").stat().st_mode & 0o7000 == 0


READONLY_REFUSES: dict[str, Callable[[SharedFolder], object]] = {
    "write": lambda s: s.open(("file",), Access.WRITE),
    "read and write": lambda s: s.open(("file",), Access.BOTH),
    "open to truncate": lambda s: s.open(("file",), Access.READ, truncate=True),
    "create": lambda s: s.create(("new",), Access.READ, mode=0o644),
    "mkdir": lambda s: s.make_directory(("new",), mode=0o755),
    "symlink": lambda s: s.make_symlink(("new",), "file"),
    "link": lambda s: s.link(("file",), ("new",)),
    "rename": lambda s: s.rename(("file",), ("new",)),
    "unlink": lambda s: s.remove_file(("file",)),
    "rmdir": lambda s: s.remove_directory(("sub",)),
    "truncate": lambda s: s.truncate(("file",), 0),
}


@pytest.mark.parametrize("name", READONLY_REFUSES)
def test_a_readonly_share_stays_as_it_is(inside: Path, name: str) -> None:
    before = sorted(inside.iterdir())
    share = SharedFolder(inside, readonly=True)
    assert refused(lambda: READONLY_REFUSES[name](share)) == errno.EROFS
    opened = share.open(("file",), Access.READ)
    assert opened.read(0, 100) == b"content"
    opened.close()
    share.close()
    assert sorted(inside.iterdir()) == before


def test_a_folder_that_is_moved_away_stays_the_same(
    share: SharedFolder, inside: Path, outside: Path
) -> None:
    inside.rename(inside.with_name("moved"))
    inside.symlink_to(outside)
    assert ("file", 0o100644) in [(name, mode & 0o177777) for name, mode in share.names(())]
    assert share.facts(("file",)).size == 7


def test_a_folder_that_is_removed_is_empty_and_refuses(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    share = SharedFolder(folder)
    folder.rmdir()
    assert share.names(()) == []
    assert refused(lambda: share.create(("new",), Access.WRITE, mode=0o644)) == errno.ENOENT
    share.close()


@pytest.mark.parametrize("name", ["missing", "file"])
def test_what_cannot_be_shared(inside: Path, name: str) -> None:
    with pytest.raises(HostError):
        SharedFolder(inside / name)


def test_names_that_are_not_utf8_are_left_out(share: SharedFolder, inside: Path) -> None:
    (Path(os.fsdecode(os.fsencode(inside) + b"/caf\xe9"))).touch()
    (inside / "naïve €").touch()
    names = [name for name, _ in share.names(())]
    assert "naïve €" in names
    assert not any("caf" in name for name in names)


def test_errors_have_linux_numbers(share: SharedFolder) -> None:
    assert refused(lambda: share.facts(("missing",))) == 2
    assert refused(lambda: share.facts(("file", "below"))) == 20
    assert refused(lambda: share.facts(("x" * 300,))) == 36
    assert refused(lambda: share.remove_directory(("file",))) == 20
    assert refused(lambda: share.make_directory(("sub",), mode=0o755)) == 17
    share.make_directory(("sub", "deep"), mode=0o755)
    assert refused(lambda: share.remove_directory(("sub",))) == 39
    assert refused(lambda: share.truncate(("file",), 1 << 63)) in (22, 27)
