"""Trees into a guest and back, through the real agent and this machine's tar."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootsmith.errors import AgentError, HostError, VMError
from bootsmith.host.tree_writer import TreeWriter
from bootsmith.vm.agent import Agent
from bootsmith.vm.transfer import download, unpack, upload
from tests.support.agent_process import connected_agent
from tests.support.judges import require

MTIME_S = 1_600_000_000


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with connected_agent() as connected:
        yield connected


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """One of everything that travels."""
    root = tmp_path / "tree"
    (root / "empty folder").mkdir(parents=True)
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "program").write_text("#!/bin/sh\n")
    (root / "program").chmod(0o755)
    (root / "secret").write_bytes(b"\0\xff" * 70_000)
    (root / "secret").chmod(0o600)
    (root / "sub" / "deep" / ("long" * 50)).write_text("a long name")
    (root / "sub" / "zażółć").write_text("text beyond ASCII")
    (root / "sub" / "nothing").touch()
    (root / "sub" / "link").symlink_to("../program")
    (root / "sub" / "dangling or not").symlink_to("/etc/passwd")
    for path in root.rglob("*"):
        if not path.is_symlink():
            os.utime(path, (MTIME_S, MTIME_S))
    (root / "sub").chmod(0o555)
    return root


def facts(root: Path) -> dict[str, tuple[object, ...]]:
    """What must be the same on the other side, by path."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        name, status = str(path.relative_to(root)), path.lstat()
        mode = stat.filemode(status.st_mode)
        if path.is_symlink():
            found[name] = (mode[0], path.readlink())
        elif path.is_dir():
            found[name] = (mode,)
        else:
            found[name] = (mode, int(status.st_mtime), path.read_bytes())
    return found


def test_a_tree_there_and_back(agent: Agent, tree: Path, tmp_path: Path) -> None:
    there, back = tmp_path / "new" / "there", tmp_path / "back"
    upload(agent, tree, str(there), timeout_s=60)
    assert facts(there) == facts(tree)
    download(agent, str(there), back, timeout_s=60)
    assert facts(back) == facts(tree)
    assert stat.S_IMODE((back / "sub").stat().st_mode) == 0o555


def test_a_guest_with_nothing_but_busybox(tree: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("busybox makes folders with their modes first: only root may fill them then")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("tar", "mkdir", "dirname", "basename"):
        (programs / name).symlink_to(require("busybox"))
    there, back = tmp_path / "there", tmp_path / "back"
    with connected_agent(path=str(programs)) as agent:
        upload(agent, tree, str(there), timeout_s=60)
        assert facts(there) == facts(tree)
        download(agent, str(there), back, timeout_s=60)
        download(agent, str(there / "program"), tmp_path / "single", timeout_s=60)
    assert facts(back) == facts(tree)
    assert stat.S_IMODE((tmp_path / "single").stat().st_mode) == 0o755


def test_a_guest_without_tar_says_so(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with connected_agent(path=str(tmp_path / "empty")) as agent:
        with pytest.raises(AgentError) as caught:
            upload(agent, tree, str(tmp_path / "there"), timeout_s=60)
        assert "write_file" in str(caught.value.hint)
        with pytest.raises(AgentError) as caught:
            download(agent, str(tree), tmp_path / "back", timeout_s=60)
        assert "write_file" in str(caught.value.hint)


def test_a_single_file_may_get_another_name(agent: Agent, tree: Path, tmp_path: Path) -> None:
    upload(agent, tree / "program", str(tmp_path / "bin" / "other"), timeout_s=60)
    assert stat.S_IMODE((tmp_path / "bin" / "other").stat().st_mode) == 0o755
    download(agent, str(tmp_path / "bin" / "other"), tmp_path / "third", timeout_s=60)
    assert (tmp_path / "third").read_text() == "#!/bin/sh\n"


def test_a_folder_that_is_there_keeps_what_else_it_holds(
    agent: Agent, tree: Path, tmp_path: Path
) -> None:
    for target in (tmp_path / "up", tmp_path / "down"):
        target.mkdir()
        (target / "mine").write_text("mine")
        (target / "secret").write_text("older")
    upload(agent, tree, str(tmp_path / "up"), timeout_s=60)
    download(agent, str(tree), tmp_path / "down", timeout_s=60)
    for target in (tmp_path / "up", tmp_path / "down"):
        assert (target / "mine").read_text() == "mine"
        assert (target / "secret").stat().st_size == 140_000


def test_hard_links_stay_links(agent: Agent, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "one").write_text("shared")
    (source / "two").hardlink_to(source / "one")
    download(agent, str(source), tmp_path / "target", timeout_s=60)
    assert (tmp_path / "target" / "one").samefile(tmp_path / "target" / "two")


@pytest.mark.parametrize("path", ["relative", "", "/a/../b", "/nul\0"])
def test_paths_that_are_none_in_a_guest(agent: Agent, path: str, tmp_path: Path) -> None:
    with pytest.raises(VMError, match="not a path in the guest"):
        upload(agent, tmp_path, path)
    with pytest.raises(VMError, match="not a path in the guest"):
        download(agent, path, tmp_path / "x")


def test_what_is_not_there(agent: Agent, tmp_path: Path) -> None:
    with pytest.raises(HostError, match="nowhere"):
        upload(agent, tmp_path / "nowhere", "/tmp/x")
    with pytest.raises(AgentError, match="no such file") as caught:
        download(agent, str(tmp_path / "nowhere"), tmp_path / "x")
    assert caught.value.code == "transfer_failed"
    assert not (tmp_path / "x").exists()


def test_a_place_that_takes_nothing(agent: Agent, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AgentError, match="cannot take"):
        upload(agent, tree, str(tmp_path / "file"), timeout_s=60)
    with pytest.raises(HostError):
        download(agent, str(tree), tmp_path / "file", timeout_s=60)


def test_pipes_are_refused_by_name(agent: Agent, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    os.mkfifo(source / "pipe")
    with pytest.raises(VMError, match="pipe"):
        download(agent, str(source), tmp_path / "target", timeout_s=60)
    with pytest.raises(HostError, match="pipe"):
        upload(agent, source, str(tmp_path / "target"), timeout_s=60)


def test_the_agent_is_as_before_after_a_refusal(agent: Agent) -> None:
    assert agent.exec(["true"], timeout_s=60).exit_code == 0


HOSTILE = [
    [("file", "../outside")],
    [("file", "/etc/outside")],
    [("file", "a/../../outside")],
    [("symlink", "way", ".."), ("file", "way/outside")],
    [("symlink", "way", "/"), ("file", "way/outside")],
    [("symlink", "outside", "../outside"), ("hard", "again", "outside"), ("file", "again/x")],
    [("hard", "stolen", "../precious")],
    [("directory", "way"), ("symlink", "way", ".."), ("file", "way/outside")],
]


@pytest.mark.parametrize("members", HOSTILE, ids=lambda members: str(members[-1][1:]))
def test_a_hostile_archive_stays_in_its_folder(
    tmp_path: Path, members: list[tuple[str, ...]]
) -> None:
    """The guest's tar is the attacker's: it sends whatever it likes."""
    (tmp_path / "precious").write_text("precious")
    with pytest.raises((VMError, HostError)):
        unpack(io.BytesIO(archive(members)), tmp_path / "target")
    assert not (tmp_path / "outside").exists()
    assert not Path("/outside").exists()
    assert (tmp_path / "precious").stat().st_nlink == 1


def test_set_user_id_does_not_come_along(tmp_path: Path) -> None:
    with TreeWriter(tmp_path / "t") as writer:
        writer.file(("x",), io.BytesIO(b"x"), mode=0o4755, mtime_ns=0)
    assert stat.S_IMODE((tmp_path / "t" / "x").stat().st_mode) == 0o755


def archive(members: list[tuple[str, ...]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        root = tarfile.TarInfo(".")
        root.type = tarfile.DIRTYPE
        made.addfile(root)
        for kind, name, *target in members:
            member = tarfile.TarInfo(name)
            member.type = {
                "file": tarfile.REGTYPE,
                "symlink": tarfile.SYMTYPE,
                "hard": tarfile.LNKTYPE,
                "directory": tarfile.DIRTYPE,
            }[kind]
            member.mode = 0o755
            member.linkname = target[0] if target else ""
            made.addfile(member)
    return out.getvalue()
