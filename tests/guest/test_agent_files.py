"""Files read, written and deleted for the host."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.support.agent_client import AgentClient


def read(client: AgentClient, path: Path | str, **fields: object) -> list[bytes]:
    client.send("file_read_request", 3, path=str(path), **fields)
    messages = list(client.receive_until(lambda message: message.kind != "file_read_data"))
    assert (messages[-1].kind, messages[-1].id) == ("file_read_done", 3)
    return [message.body["data"] for message in messages[:-1]]


def test_a_file_is_read_in_chunks(client: AgentClient, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "file").write_bytes(content)
    default = read(client, tmp_path / "file")
    assert b"".join(default) == content
    assert len(default[0]) == 64 << 10
    large = read(client, tmp_path / "file", chunk_size=1 << 20)
    assert [len(chunk) for chunk in large] == [1 << 20, 1 << 20, 3_000_000 - (2 << 20)]
    assert len(read(client, tmp_path / "file", chunk_size=1 << 30)[0]) == 1 << 20
    (tmp_path / "file").write_bytes(content[:5000])
    assert len(read(client, tmp_path / "file", chunk_size=1)[0]) == 1 << 10


def test_files_without_a_size(client: AgentClient, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert read(client, tmp_path / "empty") == []
    assert b"".join(read(client, "/proc/version")).startswith(b"Linux version")


def test_a_path_may_be_relative(client: AgentClient, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"here")
    assert read(client, "file", cwd=str(tmp_path)) == [b"here"]
    assert b"".join(read(client, "proc/version")).startswith(b"Linux")


@pytest.mark.parametrize("path", ["/nonesuch", "/etc", "/etc/passwd/x", "/" + "x" * 5000])
def test_what_cannot_be_read(client: AgentClient, path: str) -> None:
    client.send("file_read_request", 3, path=path)
    assert client.expect("error", 3).body["code"] == "file_read_failed"


def test_a_pipe_nobody_writes_to_does_not_stop_the_agent(
    client: AgentClient, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read(client, tmp_path / "pipe") == []


def test_a_file_is_written(client: AgentClient, tmp_path: Path) -> None:
    content = os.urandom(5_000_000)
    client.send("file_write_request", 4, path=str(tmp_path / "file"))
    for start in range(0, len(content), 1 << 20):
        client.send("file_write_data", 4, data=content[start : start + (1 << 20)])
    client.send("file_write_data", 4, data=b"", eof=True)
    client.expect("file_write_done", 4)
    assert (tmp_path / "file").read_bytes() == content
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) & 0o600 == 0o600


@pytest.mark.parametrize(
    ("fields", "content"),
    [
        ({}, b"new"),
        ({"truncate": True}, b"new"),
        ({"truncate": False}, b"newcontent"),
        ({"append": True}, b"oldcontentnew"),
    ],
)
def test_what_becomes_of_the_old_content(
    client: AgentClient, tmp_path: Path, fields: dict[str, bool], content: bytes
) -> None:
    (tmp_path / "file").write_bytes(b"oldcontent")
    client.send("file_write_request", 4, path=str(tmp_path / "file"), **fields)
    client.send("file_write_data", 4, data=b"new", eof=True)
    client.expect("file_write_done", 4)
    assert (tmp_path / "file").read_bytes() == content


@pytest.mark.parametrize("path", ["/nonesuch/file", "/etc", "/dev/full"])
def test_what_cannot_be_written(client: AgentClient, path: str) -> None:
    client.send("file_write_request", 4, path=path)
    client.send("file_write_data", 4, data=b"x", eof=True)
    assert client.expect("error", 4).body["code"] == "file_write_failed"


def test_content_for_no_file(client: AgentClient) -> None:
    client.send("file_write_data", 4, data=b"x")
    assert client.expect("error", 4).body["code"] == "unknown_id"


def delete(client: AgentClient, path: Path | str, **fields: object) -> str | None:
    """The error's message, ``None`` when it was deleted."""
    client.send("file_delete_request", 6, path=str(path), **fields)
    message = client.receive()
    assert message.id == 6
    if message.kind == "file_delete_done":
        return None
    assert (message.kind, message.body["code"]) == ("error", "file_delete_failed")
    reason = message.body["message"]
    assert isinstance(reason, str)
    return reason


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_files_and_links_are_deleted(client: AgentClient, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "file").touch()
    assert delete(client, tmp_path / "file") is None
    assert delete(client, f"{tmp_path}/link/", recursive=True) is None
    assert names(tmp_path) == ["target"]


def test_what_is_not_there(client: AgentClient, tmp_path: Path) -> None:
    assert delete(client, tmp_path / "file") == "no such file or directory"
    assert delete(client, tmp_path / "file", force=True) is None


def test_a_directory_goes_only_with_recursive(client: AgentClient, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    assert delete(client, tmp_path / "d", force=True) == "is a directory"
    assert delete(client, tmp_path / "d", recursive=True) is None
    assert not (tmp_path / "d").exists()


def test_a_tree_goes_and_what_its_links_point_to_stays(client: AgentClient, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    tree = tmp_path / "tree"
    for number in range(30):
        folder = tree / f"{number}" / "a" / "b"
        folder.mkdir(parents=True)
        for name in range(20):
            (folder / f"{'long-name-' * 10}{name}").touch()
        (folder / "out").symlink_to(tmp_path / "kept")
    deep = tree
    for _ in range(200):
        deep = deep / "d"
        deep.mkdir()
    assert delete(client, tree, recursive=True) is None
    assert names(tmp_path) == ["kept"]
    assert names(tmp_path / "kept") == ["file"]


def test_a_tree_that_is_too_deep_is_refused(client: AgentClient, tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(300):
        deep = deep / "d"
        deep.mkdir()
    assert delete(client, tmp_path / "d", recursive=True) == "file name too long"
    assert client.run("true").exit_code == 0
    # Too deep for what removes the tests' folders, too.
    subprocess.run(["rm", "-r", tmp_path / "d"], check=True)


@pytest.mark.parametrize("path", ["/", "//", "/.", "/..", "/tmp/..", "/tmp/.", "/tmp/../"])
def test_the_root_is_never_deleted(client: AgentClient, path: str) -> None:
    assert delete(client, path, recursive=True, force=True) == "refusing to delete this directory"


def test_many_files_at_once(client: AgentClient, tmp_path: Path) -> None:
    for number in range(20):
        client.send("file_write_request", number, path=str(tmp_path / f"{number}"))
    for number in range(20):
        client.send("file_write_data", number, data=b"%d" % number, eof=True)
        client.expect("file_write_done", number)
    for number in range(20):
        client.send("file_read_request", number, path=str(tmp_path / f"{number}"))
    contents = {}
    done: set[int] = set()
    while len(done) < 20:
        message = client.receive()
        if message.kind == "file_read_done":
            done.add(message.id)
        else:
            contents[message.id] = message.body["data"]
    assert contents == {number: b"%d" % number for number in range(20)}


def test_sync_answers(client: AgentClient) -> None:
    client.send("sync_request", 9)
    client.expect("sync_done", 9)
