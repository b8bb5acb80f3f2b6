"""Commands: how they start, what they print, how they end."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent_client import AgentClient

CONCURRENT_MAX = 64


@pytest.mark.parametrize(
    ("script", "exit_code", "killed_by"),
    [
        ("true", 0, None),
        ("exit 3", 3, None),
        ("exit 255", 255, None),
        ("kill -TERM $$", 143, signal.SIGTERM),
        ("kill -KILL $$", 137, signal.SIGKILL),
        ("kill -PIPE $$", 141, signal.SIGPIPE),
    ],
)
def test_the_end_of_a_command(
    client: AgentClient, script: str, exit_code: int, killed_by: int | None
) -> None:
    outcome = client.run("sh", "-c", script)
    assert (outcome.exit_code, outcome.signal) == (exit_code, killed_by)


def test_streams_are_kept_apart(client: AgentClient) -> None:
    outcome = client.run("sh", "-c", "echo out; echo err >&2")
    assert (outcome.stdout, outcome.stderr) == (b"out\n", b"err\n")


def test_output_is_binary_and_complete(client: AgentClient) -> None:
    made = "import os,sys; sys.stdout.buffer.write(bytes(range(256)) * 40_000)"
    outcome = client.run(sys.executable, "-c", made, env=[f"PATH={os.environ['PATH']}"])
    assert (
        hashlib.sha256(outcome.stdout).digest()
        == hashlib.sha256(bytes(range(256)) * 40_000).digest()
    )


def test_arguments_arrive_byte_for_byte(client: AgentClient) -> None:
    arguments: list[str | bytes] = ["", "a b", "$HOME", "ü", b"\xff\xfe"]
    outcome = client.run("printf", "%s|", *arguments)
    assert outcome.stdout == b"|a b|$HOME|\xc3\xbc|\xff\xfe|"


def test_the_environment_is_the_agents_with_the_requests_over_it(client: AgentClient) -> None:
    outcome = client.run("env", env=["GREETING=bye", "NEW=a=b", "EMPTY="])
    assert set(outcome.stdout.splitlines()) == {
        b"PATH=/usr/bin:/bin",
        b"HOME=/",
        b"GREETING=bye",
        b"NEW=a=b",
        b"EMPTY=",
    }


def test_the_command_is_looked_up_in_its_own_path(client: AgentClient, tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho found\n")
    tool.chmod(0o755)
    assert client.run("tool").exit_code == 127
    assert client.run("tool", env=[f"PATH=/nowhere:{tmp_path}"]).stdout == b"found\n"


def test_a_relative_command_starts_in_its_folder(client: AgentClient, tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\npwd\n")
    tool.chmod(0o755)
    assert client.run("./tool", cwd=str(tmp_path)).stdout.strip() == bytes(tmp_path)


@pytest.mark.parametrize(
    ("request_fields", "reason"),
    [
        ({"cmd": "nonesuch"}, b"nonesuch: not found\n"),
        ({"cmd": "/nonesuch"}, b"/nonesuch: no such file or directory\n"),
        ({"cmd": "/etc/passwd"}, b"/etc/passwd: cannot be run: permission denied\n"),
        ({"cmd": "/bin"}, b"/bin: cannot be run: permission denied\n"),
        (
            {"cmd": "true", "cwd": "/nonesuch"},
            b"/nonesuch: cannot be entered: no such file or directory\n",
        ),
        (
            {"cmd": "true", "cwd": "/etc/passwd"},
            b"/etc/passwd: cannot be entered: not a directory\n",
        ),
    ],
)
def test_a_command_that_cannot_start(
    client: AgentClient, request_fields: dict[str, Any], reason: bytes
) -> None:
    outcome = client.run(**request_fields)
    assert (outcome.exit_code, outcome.stderr) == (127, reason)


def test_the_response_waits_for_the_pipes(client: AgentClient) -> None:
    outcome = client.run("sh", "-c", "(sleep 0.3; echo late) & echo early")
    assert outcome.stdout == b"early\nlate\n"


def test_commands_do_not_inherit_descriptors(client: AgentClient) -> None:
    assert client.run("ls", "/proc/self/fd").stdout.split() == [b"0", b"1", b"2", b"3"]


def test_no_signal_is_blocked_or_ignored(client: AgentClient) -> None:
    status = client.run("cat", "/proc/self/status").stdout.decode()
    masks = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Sig"))
    assert {masks[name] for name in ("SigBlk", "SigIgn")} == {"0" * 16}


def test_as_many_commands_as_allowed_and_no_more(client: AgentClient) -> None:
    for number in range(CONCURRENT_MAX):
        client.send(
            "exec_request", number, cmd="sh", argv=["-c", "read line; echo $line"], stdin=True
        )
        client.expect("stdin_window", number)
    client.send("exec_request", 1000, cmd="true")
    refused = client.expect("error", 1000)
    assert refused.body["code"] == "exec_failed"
    for number in reversed(range(CONCURRENT_MAX)):
        client.send("stdin_data", number, data=b"%d\n" % number, eof=True)
        outcome = client.finish(number)
        assert (outcome.exit_code, outcome.stdout) == (0, b"%d\n" % number)
    assert client.run("true").exit_code == 0


def test_many_commands_in_a_row_leave_nothing_behind(
    client: AgentClient, process: subprocess.Popen[bytes]
) -> None:
    def descriptors() -> list[str]:
        return sorted(entry.name for entry in Path(f"/proc/{process.pid}/fd").iterdir())

    before = descriptors()
    for _ in range(300):
        assert client.run("/bin/true").exit_code == 0
    assert descriptors() == before
    assert Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text() == ""


def test_a_signal_reaches_the_whole_group(client: AgentClient) -> None:
    client.send("exec_request", 1, cmd="sh", argv=["-c", "sleep 60; exit 0"])
    client.send("exec_signal", 1, signal=int(signal.SIGTERM))
    assert client.finish(1).signal == signal.SIGTERM


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"cmd": ""},
        {"cmd": 1},
        {"cmd": "a\0b"},
        {"cmd": "true", "argv": "x"},
        {"cmd": "true", "argv": [1]},
        {"cmd": "true", "env": ["novalue"]},
        {"cmd": "true", "env": {"A": "b"}},
        {"cmd": "true", "cwd": 7},
        {"cmd": "true", "stdin": "yes"},
        {"cmd": "true", "stdout_window": -1},
    ],
)
def test_a_request_that_makes_no_sense(client: AgentClient, fields: dict[str, object]) -> None:
    client.send("exec_request", 5, **fields)
    assert client.expect("error", 5).body["code"] == "invalid_request"
    assert client.run("true").exit_code == 0


def test_an_id_serves_one_command_at_a_time(client: AgentClient) -> None:
    client.send("exec_request", 5, cmd="cat", stdin=True)
    client.expect("stdin_window", 5)
    client.send("exec_request", 5, cmd="true")
    assert client.expect("error", 5).body["code"] == "invalid_request"
    client.send("stdin_data", 5, data=b"", eof=True)
    assert client.finish(5).exit_code == 0


def test_too_many_arguments(client: AgentClient) -> None:
    client.send("exec_request", 5, cmd="true", argv=["x"] * 100_000)
    assert client.expect("error", 5).body["code"] == "exec_failed"
    outcome = client.run("true", "x" * 200_000)  # Linux: 128 KiB a word
    assert (outcome.exit_code, outcome.stderr) == (
        127,
        b"true: cannot be run: argument list too long\n",
    )
