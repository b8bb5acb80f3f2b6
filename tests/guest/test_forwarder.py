"""``sandboxssh`` and ``sandboxingress``: the host's TCP streams to programs of the guest."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.agent_client import AgentClient

Program = Callable[[socket.socket], None]


@pytest.fixture(params=["sandboxssh", "sandboxingress"])
def forwarder(request: pytest.FixtureRequest, agent_program: Path) -> Iterator[AgentClient]:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            (request.param, "--fd", str(theirs.fileno())),
            executable=agent_program,
            pass_fds=(theirs.fileno(),),
        )
    client = AgentClient(ours)
    yield client
    client.close()
    assert process.wait(10) == 0  # Nothing it did along the way ended it.


@pytest.fixture
def listen() -> Iterator[Callable[[Program], int]]:
    """Starts a program for one connection on the loopback; returns its port."""
    threads = []
    listeners = []

    def start(program: Program) -> int:
        listener = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                program(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        threads.append(thread)
        listeners.append(listener)
        port = listener.getsockname()[1]
        assert isinstance(port, int)
        return port

    yield start
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    for listener in listeners:
        listener.close()


def echo(connection: socket.socket) -> None:
    while data := connection.recv(65536):
        connection.sendall(data)


def test_both_ways(forwarder: AgentClient, listen: Callable[[Program], int]) -> None:
    forwarder.send("tcp_open", 7, host="127.0.0.1", port=listen(echo))
    assert forwarder.expect("tcp_opened", 7).body == {"ok": True}
    forwarder.send("tcp_data", 7, data=b"hello")
    assert forwarder.expect("tcp_data", 7).body == {"data": b"hello"}
    forwarder.send("tcp_eof", 7)
    forwarder.expect("tcp_close", 7)


def test_data_may_follow_at_once(forwarder: AgentClient, listen: Callable[[Program], int]) -> None:
    """What was sent before the end arrives before the end, opened or not."""
    forwarder.send("tcp_open", 1, host="localhost", port=listen(echo))
    forwarder.send("tcp_data", 1, data=b"early")
    forwarder.send("tcp_eof", 1)
    forwarder.expect("tcp_opened", 1)
    assert forwarder.expect("tcp_data", 1).body == {"data": b"early"}
    forwarder.expect("tcp_close", 1)


def test_much_data_to_a_slow_program(
    forwarder: AgentClient, listen: Callable[[Program], int]
) -> None:
    content = os.urandom(8 << 20)
    received = bytearray()
    go = threading.Event()

    def slow(connection: socket.socket) -> None:
        go.wait()
        while data := connection.recv(65536):
            received.extend(data)

    forwarder.send("tcp_open", 1, host="127.0.0.1", port=listen(slow))
    forwarder.expect("tcp_opened", 1)
    threading.Timer(0.5, go.set).start()
    for start in range(0, len(content), 3 << 20):  # Far more than the buffer at once.
        forwarder.send("tcp_data", 1, data=content[start : start + (3 << 20)])
    forwarder.send("tcp_eof", 1)
    forwarder.expect("tcp_close", 1)
    assert bytes(received) == content


def test_much_data_from_a_program(forwarder: AgentClient, listen: Callable[[Program], int]) -> None:
    content = os.urandom(8 << 20)
    forwarder.send(
        "tcp_open", 1, host="127.0.0.1", port=listen(lambda connection: connection.sendall(content))
    )
    forwarder.expect("tcp_opened", 1)
    messages = list(forwarder.receive_until(lambda message: message.kind == "tcp_close"))
    assert b"".join(message.body["data"] for message in messages[:-1]) == content


def test_many_streams_at_once(forwarder: AgentClient, listen: Callable[[Program], int]) -> None:
    for number in range(50):
        forwarder.send("tcp_open", number, host="127.0.0.1", port=listen(echo))
        forwarder.send("tcp_data", number, data=b"%d" % number)
    contents: dict[int, bytes] = {}
    while len(contents) < 50:
        message = forwarder.receive()
        if message.kind == "tcp_data":
            contents[message.id] = message.body["data"]
    assert contents == {number: b"%d" % number for number in range(50)}
    for number in range(50):
        forwarder.send("tcp_close", number)


def test_the_hosts_close_reaches_the_program(
    forwarder: AgentClient, listen: Callable[[Program], int]
) -> None:
    def wait_for_the_end(connection: socket.socket) -> None:
        connection.settimeout(10)
        assert connection.recv(1) == b""

    forwarder.send("tcp_open", 1, host="127.0.0.1", port=listen(wait_for_the_end))
    forwarder.expect("tcp_opened", 1)
    forwarder.send("tcp_close", 1)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"host": "127.0.0.1", "port": 1}, "connection refused"),
        ({"host": "10.0.2.2", "port": 22}, "only 127.0.0.1 can be reached"),
        ({"host": "example.org", "port": 22}, "only 127.0.0.1 can be reached"),
        ({"port": 22}, "only 127.0.0.1 can be reached"),
        ({"host": 5, "port": 22}, "only 127.0.0.1 can be reached"),
        ({"host": "localhost"}, "a port from 1 to 65535 is needed"),
        ({"host": "localhost", "port": 0}, "a port from 1 to 65535 is needed"),
        ({"host": "localhost", "port": 65_536}, "a port from 1 to 65535 is needed"),
        ({"host": "localhost", "port": "22"}, "a port from 1 to 65535 is needed"),
    ],
)
def test_what_cannot_be_opened(
    forwarder: AgentClient, fields: dict[str, object], reason: str
) -> None:
    forwarder.send("tcp_open", 3, **fields)
    assert forwarder.expect("tcp_opened", 3).body == {"ok": False, "message": reason}


def test_messages_for_no_stream_are_late_not_wrong(forwarder: AgentClient) -> None:
    for kind in ("tcp_data", "tcp_eof", "tcp_close", "tcp_nonsense"):
        forwarder.send(kind, 99, data=b"x")
    forwarder.send("tcp_open", 1, host="", port=1)
    forwarder.expect("tcp_opened", 1)


def test_more_streams_than_allowed(
    forwarder: AgentClient,
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listener:
        for number in range(129):
            forwarder.send("tcp_open", number, host="127.0.0.1", port=listener.getsockname()[1])
        answers: dict[int, bool] = {}
        while len(answers) < 129:
            message = forwarder.receive()
            answers[message.id] = message.body["ok"]
    assert [number for number, ok in answers.items() if not ok] == [128]
