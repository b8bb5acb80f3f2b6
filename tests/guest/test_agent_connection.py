"""The line itself: frames that are none, hosts that come and go."""

from __future__ import annotations

import random
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import cbor2
import pytest

from tests.guest.conftest import AGENT_ENVIRONMENT
from tests.support.agent_client import AgentClient, ConnectionLost


class Listener:
    """An agent that listens on a socket, to which hosts come one after the other."""

    def __init__(self, program: Path, path: Path) -> None:
        self.path = path
        self.process = subprocess.Popen(
            ("sandboxd", "--listen", str(path)),
            executable=program,
            env=AGENT_ENVIRONMENT,
            stderr=subprocess.DEVNULL,
        )

    def connect(self) -> AgentClient:
        deadline = time.monotonic() + 10
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(self.path))
            except (FileNotFoundError, ConnectionRefusedError):
                connection.close()
                assert time.monotonic() < deadline
                time.sleep(0.01)
                continue
            client = AgentClient(connection)
            client.expect("vfs_ready", 0)
            return client


@pytest.fixture
def listener(agent_program: Path, tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(agent_program, tmp_path / "line")
    yield listener
    listener.process.kill()
    listener.process.wait()


def test_the_agent_outlives_its_host(listener: Listener, tmp_path: Path) -> None:
    first = listener.connect()
    script = f"trap 'echo hung up >{tmp_path}/trace; exit' HUP; echo ready; sleep 60 & wait"
    first.send("exec_request", 1, cmd="sh", argv=["-c", script])
    first.expect("exec_output", 1)
    first.close()

    second = listener.connect()
    assert second.run("echo", "again").stdout == b"again\n"  # The same id is free again.
    deadline = time.monotonic() + 10
    while not (tmp_path / "trace").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (tmp_path / "trace").read_text() == "hung up\n"
    second.close()


BAD_FRAMES = {
    "no envelope": cbor2.dumps([1, 2]),
    "another version": cbor2.dumps({"v": 2, "t": "exec_request", "id": 1, "p": {}}),
    "no body": cbor2.dumps({"v": 1, "t": "exec_request", "id": 1}),
    "an id that is too large": cbor2.dumps({"v": 1, "t": "x", "id": 1 << 32, "p": {}}),
    "a float": cbor2.dumps({"v": 1, "t": "x", "id": 1, "p": {"a": 1.5}}),
    "a tag": cbor2.dumps({"v": 1, "t": "x", "id": 1, "p": {"a": cbor2.CBORTag(1, 2)}}),
    "an indefinite length": b"\xbf\x61v\x01\x61tax\x62id\x01\x61p\xa0\xff",
    "something behind": cbor2.dumps({"v": 1, "t": "x", "id": 1, "p": {}}) + b"\x00",
    "nothing": b"",
}


@pytest.mark.parametrize("name", BAD_FRAMES)
def test_a_malformed_frame_ends_the_connection(listener: Listener, name: str) -> None:
    client = listener.connect()
    client.send_frame(BAD_FRAMES[name])
    with pytest.raises(ConnectionLost):
        client.receive()
    client.close()
    client = listener.connect()
    assert client.run("true").exit_code == 0
    client.close()


def test_a_frame_that_is_too_large_ends_the_connection(listener: Listener) -> None:
    client = listener.connect()
    client.connection.sendall(struct.pack(">I", (4 << 20) + 1))
    with pytest.raises(ConnectionLost):
        client.receive()
    client.close()
    client = listener.connect()
    client.send("file_write_data", 1, data=b"x" * ((4 << 20) - 64))
    assert client.expect("error", 1).body["code"] == "unknown_id"
    client.close()


def test_an_unknown_type_is_refused_and_the_line_lives(client: AgentClient) -> None:
    client.send("fly_to_the_moon", 4, fuel=1)
    assert client.expect("error", 4).body["code"] == "invalid_request"
    assert client.run("true").exit_code == 0


def test_frames_may_arrive_in_any_pieces(client: AgentClient) -> None:
    frame = cbor2.dumps(
        {"v": 1, "t": "exec_request", "id": 1, "p": {"cmd": "echo", "argv": ["hi"]}}
    )
    for byte in struct.pack(">I", len(frame)) + frame:
        client.connection.sendall(bytes([byte]))
    assert client.finish(1).stdout == b"hi\n"


def test_a_line_that_ends_ends_the_agent(
    client: AgentClient, process: subprocess.Popen[bytes]
) -> None:
    client.close()
    assert process.wait(10) == 0


KINDS = (
    *("stdin_data", "pty_resize", "exec_window", "exec_signal", "file_write_data"),
    *("file_read_request", "exec_request", "nonsense"),
)
FIELDS = (
    "cmd",
    "argv",
    "env",
    "cwd",
    "stdin",
    "pty",
    "stdout_window",
    "data",
    "eof",
    "rows",
    "cols",
    "signal",
)


def test_random_messages_never_stop_the_agent(listener: Listener) -> None:
    """Two seconds of well-formed nonsense and of broken bytes."""
    chance = random.Random(20_251_122)
    values: tuple[object, ...] = (
        0,
        1,
        -1,
        1 << 63,
        "",
        "true",
        "/nonesuch",
        b"\xff",
        [],
        ["a"],
        {},
        True,
        None,
    )
    deadline = time.monotonic() + 2
    rounds = 0
    while time.monotonic() < deadline:
        client = listener.connect()
        for _ in range(chance.randrange(40)):
            body = {
                chance.choice(FIELDS): chance.choice(values) for _ in range(chance.randrange(6))
            }
            message = {"v": 1, "t": chance.choice(KINDS), "id": chance.randrange(4), "p": body}
            client.send_frame(cbor2.dumps(message))
        broken = bytearray(
            cbor2.dumps({"v": 1, "t": "exec_request", "id": 1, "p": {"cmd": "true"}})
        )
        broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
        client.connection.sendall(struct.pack(">I", len(broken)) + broken)
        client.close()
        rounds += 1
    client = listener.connect()
    assert client.run("true").exit_code == 0
    client.close()
    assert rounds > 3
    assert listener.process.poll() is None
    assert len(list(Path(f"/proc/{listener.process.pid}/fd").iterdir())) < 10
