"""Commands on a terminal."""

from __future__ import annotations

import signal
import time

from tests.support.agent_client import AgentClient, Message


def test_it_is_a_terminal_of_its_own(client: AgentClient) -> None:
    script = "test -t 0 && test -t 1 && test -t 2 && stty size && tty"
    outcome = client.run("sh", "-c", script, pty=True)
    size, tty = outcome.stdout.split(b"\r\n")[:2]
    assert outcome.exit_code == 0
    assert size == b"24 80"
    assert tty.startswith(b"/dev/pts/")


def test_resize(client: AgentClient) -> None:
    client.send(
        "exec_request", 1, cmd="sh", argv=["-c", "read line; stty size"], pty=True, stdin=True
    )
    client.expect("stdin_window", 1)
    client.send("pty_resize", 1, rows=50, cols=132)
    client.send("stdin_data", 1, data=b"\n")
    assert b"50 132" in client.finish(1).stdout


def test_the_end_of_input_is_control_d(client: AgentClient) -> None:
    client.send("exec_request", 1, cmd="cat", pty=True, stdin=True)
    client.expect("stdin_window", 1)
    client.send("stdin_data", 1, data=b"hello\n", eof=True)
    outcome = client.finish(1)
    assert outcome.exit_code == 0
    assert outcome.stdout == b"hello\r\nhello\r\n"


def test_control_c_interrupts_the_foreground(client: AgentClient) -> None:
    client.send(
        "exec_request", 1, cmd="sh", argv=["-c", "echo ready; exec sleep 60"], pty=True, stdin=True
    )
    list(client.receive_until(lambda message: b"ready" in _data(message)))
    client.send("stdin_data", 1, data=b"\x03")
    assert client.finish(1).signal == signal.SIGINT


def test_all_output_comes_before_the_response(client: AgentClient) -> None:
    outcome = client.run("sh", "-c", "seq 1 20000", pty=True)
    assert outcome.stdout.split() == [b"%d" % number for number in range(1, 20001)]


def test_what_outlives_the_command_does_not_hold_it_up(client: AgentClient) -> None:
    started = time.monotonic()
    script = "trap '' HUP; sleep 30 & exit 4"
    assert client.run("sh", "-c", script, pty=True).exit_code == 4
    assert time.monotonic() - started < 10


def test_a_command_without_a_terminal_has_no_size(client: AgentClient) -> None:
    client.send("exec_request", 1, cmd="cat", stdin=True)
    client.expect("stdin_window", 1)
    client.send("pty_resize", 1, rows=1, cols=1)
    assert client.expect("error", 1).body["code"] == "invalid_request"
    client.send("stdin_data", 1, data=b"", eof=True)
    assert client.finish(1).exit_code == 0


def _data(message: Message) -> bytes:
    data = message.body.get("data", b"")
    assert isinstance(data, bytes)
    return data
