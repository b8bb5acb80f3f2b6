"""What our client does with a guest that breaks the protocol."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest

from bootsmith.errors import AgentError, VMError
from bootsmith.vm.execution import WINDOW_BYTES
from bootsmith.vm.frame import MAX_FRAME_BYTES
from tests.support.scripted_guest import ScriptedGuest, envelope, framed, scripted_guest

BROKEN_ANSWERS = {
    "garbage": b"GET / HTTP/1.1\r\n\r\n",
    "oversized": (MAX_FRAME_BYTES + 1).to_bytes(4, "big"),
    "empty frame": bytes(4),
    "no envelope": framed(cbor2.dumps([])),
    "a tag": framed(b"\xc0" + envelope("exec_output", 1, stream="stdout", data=b"")),
    "cut, then the end": framed(envelope("exec_response", 1, exit_code=0))[:-2],
}
BROKEN_MESSAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "unknown kind": ("surprise", {}),
    "unknown stream": ("exec_output", {"stream": "stdlog", "data": b""}),
    "output is text": ("exec_output", {"stream": "stdout", "data": "text"}),
    "no exit code": ("exec_response", {}),
    "exit code is text": ("exec_response", {"exit_code": "0"}),
    "signal is negative": ("exec_response", {"exit_code": 137, "signal": -9}),
    "credit is negative": ("stdin_window", {"stdin": -1}),
    "error without a code": ("error", {"message": "?"}),
    "beyond the window": ("exec_output", {"stream": "stdout", "data": bytes(WINDOW_BYTES + 1)}),
}


@pytest.mark.parametrize("name", BROKEN_ANSWERS)
def test_broken_bytes_end_the_line(name: str) -> None:
    def script(guest: ScriptedGuest) -> None:
        guest.expect("exec_request")
        guest.send_raw(BROKEN_ANSWERS[name])
        guest.hang_up()

    with scripted_guest(script) as agent:
        with pytest.raises(AgentError):
            agent.exec(["true"], timeout_s=20)
        with pytest.raises(AgentError):
            agent.exec(["true"], timeout_s=20)


@pytest.mark.parametrize("name", BROKEN_MESSAGES)
def test_broken_messages_end_the_command(name: str) -> None:
    kind, payload = BROKEN_MESSAGES[name]

    def script(guest: ScriptedGuest) -> None:
        guest.send(kind, guest.expect("exec_request").id, **payload)

    with scripted_guest(script) as agent, pytest.raises(AgentError):
        agent.exec(["true"], timeout_s=20)


def test_an_error_of_the_guest_keeps_its_code() -> None:
    def script(guest: ScriptedGuest) -> None:
        number = guest.expect("exec_request").id
        guest.send("error", number, code="exec_failed", message="64 commands are running")

    with scripted_guest(script) as agent, pytest.raises(AgentError, match="64 commands") as caught:
        agent.exec(["true"], timeout_s=20)
    assert caught.value.code == "exec_failed"


def test_answers_for_a_command_that_was_given_up_are_dropped() -> None:
    def script(guest: ScriptedGuest) -> None:
        late = guest.expect("exec_request").id
        number = guest.expect("exec_request").id
        guest.send("exec_output", late, stream="stdout", data=b"late")
        guest.send("error", late, code="unknown_id", message="no such command")
        guest.send("exec_response", late, exit_code=1)
        guest.send("exec_output", number, stream="stdout", data=b"right")
        guest.send("exec_response", number, exit_code=0)

    with scripted_guest(script) as agent:
        with pytest.raises(VMError, match="has not ended"):
            agent.exec(["true"], timeout_s=0.05)
        assert agent.exec(["true"], timeout_s=20).stdout == b"right"


def test_no_input_before_the_guest_gives_credit() -> None:
    def script(guest: ScriptedGuest) -> None:
        number = guest.expect("exec_request").id
        guest.send("stdin_window", number, stdin=3)
        assert guest.expect("stdin_data").data("data") == b"abc"
        guest.send("stdin_window", number, stdin=100)
        assert guest.expect("stdin_data").data("data") == b"defgh"
        assert guest.expect("stdin_data").payload == {"data": b"", "eof": True}
        guest.send("exec_response", number, exit_code=0)

    with scripted_guest(script) as agent:
        assert agent.exec(["cat"], stdin=b"abcdefgh", timeout_s=20).exit_code == 0


def test_credit_is_returned_for_what_was_consumed() -> None:
    def script(guest: ScriptedGuest) -> None:
        request = guest.expect("exec_request")
        left, returned = WINDOW_BYTES, 0
        for _ in range(64):
            while left < 64 << 10:
                returned += (more := guest.expect("exec_window").number("stdout"))
                left += more
            guest.send("exec_output", request.id, stream="stdout", data=bytes(64 << 10))
            left -= 64 << 10
        assert returned >= 3 * WINDOW_BYTES
        guest.send("exec_response", request.id, exit_code=0)

    with scripted_guest(script) as agent:
        assert len(agent.exec(["cat"], timeout_s=20).stdout) == 4 << 20


def test_a_guest_without_the_shared_file_system_runs_commands() -> None:
    def script(guest: ScriptedGuest) -> None:
        guest.send("vfs_error", 0, message="no fuse")
        guest.send("exec_response", guest.expect("exec_request").id, exit_code=0)

    with scripted_guest(script, greet=False) as agent:
        assert agent.line.wait_ready(20)
        assert agent.line.share_failure == "no fuse"
        assert agent.exec(["true"], timeout_s=20).exit_code == 0


@pytest.mark.parametrize("kind", ["exec_response", "error", "vfs_ready_too"])
def test_a_wrong_greeting_ends_the_line(kind: str) -> None:
    def script(guest: ScriptedGuest) -> None:
        guest.send(kind, 0, code="invalid_request", message="?")

    with scripted_guest(script, greet=False) as agent, pytest.raises(AgentError):
        agent.line.wait_ready(20)


def test_an_agent_that_starts_anew_ends_what_was_under_way() -> None:
    def script(guest: ScriptedGuest) -> None:
        guest.expect("exec_request")
        guest.send("vfs_ready", 0)
        guest.send("exec_response", guest.expect("exec_request").id, exit_code=0)

    with scripted_guest(script) as agent:
        with pytest.raises(AgentError, match="started again") as caught:
            agent.exec(["sleep", "60"], timeout_s=20)
        assert caught.value.code == "restarted"
        assert agent.exec(["true"], timeout_s=20).exit_code == 0


def test_the_extensions_of_our_agent() -> None:
    def script(guest: ScriptedGuest) -> None:
        guest.send("sync_done", guest.expect("sync_request").id)
        guest.send("shutdown_done", guest.expect("shutdown_request").id)
        number = guest.expect("shutdown_request").id
        guest.send("error", number, code="invalid_request", message="unknown message type")

    with scripted_guest(script) as agent:
        agent.sync(timeout_s=20)
        agent.shut_down(timeout_s=20)
        with pytest.raises(AgentError) as caught:
            agent.shut_down(timeout_s=20)
        assert caught.value.code == "invalid_request"


def test_a_guest_that_never_greets() -> None:
    with scripted_guest(lambda guest: None, greet=False) as agent:
        assert not agent.line.wait_ready(0.05)


def test_files_both_ways() -> None:
    def script(guest: ScriptedGuest) -> None:
        request = guest.expect("file_write_request")
        assert request.payload == {"path": "a", "cwd": "/tmp", "truncate": True}
        assert guest.expect("file_write_data").data("data") == b"content"
        assert guest.expect("file_write_data").payload == {"data": b"", "eof": True}
        guest.send("file_write_done", request.id)
        request = guest.expect("file_read_request")
        guest.send("file_read_data", request.id, data=b"con")
        guest.send("file_read_data", request.id, data=b"tent")
        guest.send("file_read_done", request.id)
        request = guest.expect("file_delete_request")
        assert request.payload == {"path": "a", "force": False, "recursive": True}
        guest.send("error", request.id, code="file_delete_failed", message="ENOENT")

    with scripted_guest(script) as agent:
        agent.write_file("a", b"content", cwd="/tmp", timeout_s=20)
        assert b"".join(agent.read_file("a", timeout_s=20)) == b"content"
        with pytest.raises(AgentError, match="ENOENT") as caught:
            agent.delete_file("a", recursive=True, timeout_s=20)
    assert caught.value.code == "file_delete_failed"


@pytest.mark.parametrize("answer", ["exec_response", "file_write_done"])
def test_a_wrong_answer_to_a_file_request(answer: str) -> None:
    def script(guest: ScriptedGuest) -> None:
        guest.send(answer, guest.expect("file_read_request").id)

    with scripted_guest(script) as agent, pytest.raises(AgentError, match="file_read_data"):
        list(agent.read_file("a", timeout_s=20))


def test_a_file_without_end_is_given_up() -> None:
    """``/proc/mounts`` of a hostile guest: read by us, not by a user who knows what he asks for."""

    def script(guest: ScriptedGuest) -> None:
        number = guest.expect("file_read_request").id
        for _ in range(100):
            guest.send("file_read_data", number, data=bytes(64 << 10))
        guest.send("file_read_done", guest.expect("file_read_request").id)

    with scripted_guest(script) as agent:
        with pytest.raises(AgentError, match="more than 1048576 bytes") as caught:
            agent.read_whole("/proc/mounts", most_bytes=1 << 20, timeout_s=20)
        assert caught.value.code == "too_large"
        assert agent.read_whole("/other", most_bytes=1, timeout_s=20) == b""


def test_output_without_end_is_given_up_and_the_command_killed() -> None:
    def script(guest: ScriptedGuest) -> None:
        number = guest.expect("exec_request").id
        for _ in range(2):  # more would meet a line that was given up
            guest.send("exec_output", number, stream="stderr", data=bytes(64 << 10))
        assert guest.expect("exec_signal").payload == {"signal": 9}

    with scripted_guest(script) as agent, pytest.raises(AgentError, match="of output"):
        agent.exec(["yes"], most_bytes=1 << 16, timeout_s=20)
