"""Flow control: credit for input, windows for output."""

from __future__ import annotations

import hashlib
import os
import threading

import pytest

from tests.support.agent_client import AgentClient

STDIN_CREDIT = 4 << 20
WINDOW_DEFAULT = 256 << 10
WINDOW_MAX = 16 << 20


def test_input_is_passed_on_with_credit(client: AgentClient) -> None:
    data = os.urandom(1 << 20) * 20
    client.send("exec_request", 1, cmd="sha256sum", stdin=True)
    credit = sent = 0
    while sent < len(data):
        while credit == 0:
            credit += client.expect("stdin_window", 1).body["stdin"]
        piece = data[sent : sent + min(credit, 300_000)]
        client.send("stdin_data", 1, data=piece)
        sent += len(piece)
        credit -= len(piece)
    client.send("stdin_data", 1, data=b"", eof=True)
    assert client.finish(1).stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()


def test_the_first_credit(client: AgentClient) -> None:
    client.send("exec_request", 1, cmd="cat", stdin=True)
    assert client.expect("stdin_window", 1).body == {"stdin": STDIN_CREDIT}
    client.send("stdin_data", 1, data=b"x" * 10, eof=True)
    assert client.finish(1).stdout == b"x" * 10


def test_without_stdin_there_is_none(client: AgentClient) -> None:
    assert client.run("cat").stdout == b""
    client.send("exec_request", 1, cmd="sleep", argv=["0.2"])
    client.send("stdin_data", 1, data=b"x")
    assert client.expect("error", 1).body["code"] == "invalid_request"
    assert client.finish(1).exit_code == 0


def test_more_than_was_granted_is_refused(client: AgentClient) -> None:
    client.send("exec_request", 1, cmd="sh", argv=["-c", "sleep 0.3; wc -c"], stdin=True)
    client.expect("stdin_window", 1)
    client.send("stdin_data", 1, data=b"x" * (STDIN_CREDIT - 1000))
    client.send("stdin_data", 1, data=b"x" * 200_000)
    assert client.expect("error", 1).body["code"] == "stdin_backpressure"
    client.send("stdin_data", 1, data=b"x" * 1000, eof=True)
    assert client.finish(1).stdout.strip() == b"%d" % STDIN_CREDIT


def test_input_for_nobody(client: AgentClient) -> None:
    client.send("stdin_data", 77, data=b"x")
    assert client.expect("error", 77).body["code"] == "unknown_id"
    for kind, fields in (("exec_window", {"stdout": 1}), ("pty_resize", {"rows": 1, "cols": 1})):
        client.send(kind, 77, **fields)  # Late, not wrong.
    assert client.run("true").exit_code == 0


def test_a_command_that_does_not_read_its_input(client: AgentClient) -> None:
    client.send("exec_request", 1, cmd="true", stdin=True)
    client.expect("stdin_window", 1)
    client.send("stdin_data", 1, data=b"x" * 100_000)
    messages = list(client.receive_until(lambda message: message.kind == "exec_response"))
    assert messages[-1].body == {"exit_code": 0}


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ({}, WINDOW_DEFAULT),
        ({"stdout_window": 0}, WINDOW_DEFAULT),
        ({"stdout_window": 1}, 1),
        ({"stdout_window": 100_000}, 100_000),
        ({"stdout_window": 1 << 40}, WINDOW_MAX),
    ],
)
def test_output_never_exceeds_its_window(
    client: AgentClient, asked: dict[str, int], granted: int
) -> None:
    client.send("exec_request", 1, cmd="cat", argv=["/dev/zero"], **asked)
    received = 0
    while received < granted:
        received += len(client.expect("exec_output", 1).body["data"])
    assert received == granted
    client.connection.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.receive()
    client.connection.settimeout(20)
    client.send("exec_window", 1, stdout=7)
    assert client.expect("exec_output", 1).body["data"] == b"\0" * 7


def test_one_stream_without_a_window_does_not_hold_up_the_other(client: AgentClient) -> None:
    script = "head -c 100000 /dev/zero & echo seen >&2; wait"
    client.send("exec_request", 1, cmd="sh", argv=["-c", script], stdout_window=1)
    messages = [client.receive(), client.receive()]
    assert {message.body["stream"] for message in messages} == {"stdout", "stderr"}
    client.send("exec_window", 1, stdout=100_000)
    rest = client.finish(1)
    assert len(rest.stdout) == 99_999


def test_a_host_that_does_not_read_slows_commands_down(client: AgentClient) -> None:
    """A hundred megabytes wait in the commands, not in the agent."""
    for number in range(10):
        client.send(
            "exec_request",
            number,
            cmd="head",
            argv=["-c", "10000000", "/dev/zero"],
            stdout_window=WINDOW_MAX,
        )
    received = dict.fromkeys(range(10), 0)
    running = set(received)
    while running:
        message = client.receive()
        if message.kind == "exec_response":
            running.remove(message.id)
        else:
            received[message.id] += len(message.body["data"])
    assert set(received.values()) == {10_000_000}


def test_input_and_output_at_once(client: AgentClient) -> None:
    """Both ways full at the same time: nobody waits for the other."""
    total = 30 << 20
    client.send("exec_request", 1, cmd="cat", stdin=True, stdout_window=WINDOW_MAX)
    credit = threading.Semaphore(0)
    block = b"y" * 65536

    def feed() -> None:
        for _ in range(total // len(block)):
            credit.acquire()
            client.send("stdin_data", 1, data=block)
        client.send("stdin_data", 1, data=b"", eof=True)

    feeder = threading.Thread(target=feed)
    feeder.start()
    received = granted = 0
    while (message := client.receive()).kind != "exec_response":
        if message.kind == "stdin_window":
            granted += message.body["stdin"]
            whole, granted = divmod(granted, len(block))
            credit.release(whole)
        else:
            received += len(message.body["data"])
            client.send("exec_window", 1, stdout=len(message.body["data"]))
    feeder.join()
    assert received == total
