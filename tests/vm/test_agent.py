"""Our client against the real guest agent, both as processes of this machine."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bootsmith.errors import AgentError, VMError
from bootsmith.vm.agent import Agent
from bootsmith.vm.execution import Command, Stream, TerminalSize
from tests.support.agent_process import agent_process, connected_agent


@pytest.fixture
def agent() -> Iterator[Agent]:
    with connected_agent() as connected:
        yield connected


def test_a_text_is_run_by_a_login_shell(agent: Agent) -> None:
    result = agent.exec('echo "$0 $-"; echo err >&2; exit 3')
    assert (result.exit_code, result.stderr, result.signal) == (3, b"err\n", None)
    assert result.stdout.startswith(b"/bin/sh")


def test_a_sequence_is_the_argument_vector(agent: Agent) -> None:
    assert agent.exec(["printf", "%s|", "a b", "$HOME", ""]).stdout == b"a b|$HOME||"


def test_arguments_need_not_be_utf8(agent: Agent) -> None:
    assert agent.exec(["printf", "%s", "\udcff€"]).stdout == b"\xff\xe2\x82\xac"


def test_environment_and_folder(agent: Agent) -> None:
    result = agent.exec('echo "$GREETING $NAME $PWD"', env={"NAME": "a=b"}, cwd="/usr/lib")
    assert result.stdout == b"hello a=b /usr/lib\n"


def test_a_signal(agent: Agent) -> None:
    result = agent.exec(["/bin/sh", "-c", "kill -KILL $$"])
    assert (result.exit_code, result.signal) == (137, 9)


def test_a_program_that_does_not_exist(agent: Agent) -> None:
    assert agent.exec(["/no/such/program"]).exit_code == 127


def test_no_command_at_all(agent: Agent) -> None:
    with pytest.raises(AgentError, match="no command"):
        agent.exec([])


def test_input_goes_in_and_comes_out(agent: Agent) -> None:
    data = bytes(range(256)) * 64 * 1024  # 16 MiB: four times the guest's credit
    assert agent.exec(["cat"], stdin=data).stdout == data


def test_input_in_pieces(agent: Agent) -> None:
    assert agent.exec(["cat"], stdin=iter([b"one ", b"", b"two"])).stdout == b"one two"


def test_without_input_the_end_comes_at_once(agent: Agent) -> None:
    assert agent.exec(["cat"]).stdout == b""


def test_input_that_nobody_reads(agent: Agent) -> None:
    assert agent.exec(["true"], stdin=bytes(16 << 20)).exit_code == 0
    assert agent.exec(["echo", "next"]).stdout == b"next\n"


def test_an_input_that_fails_ends_the_command(agent: Agent) -> None:
    def broken() -> Iterator[bytes]:
        yield b"some"
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        agent.exec(["cat"], stdin=broken())
    assert agent.exec(["true"]).exit_code == 0


def test_output_streams_without_growing(agent: Agent) -> None:
    sizes: list[int] = []
    result = agent.exec(
        ["head", "-c", "64M", "/dev/zero"], on_stdout=lambda data: sizes.append(len(data))
    )
    assert (sum(sizes), result.stdout) == (64 << 20, b"")


def test_a_slow_reader_slows_the_command(agent: Agent, tmp_path: Path) -> None:
    progress = tmp_path / "progress"
    script = f"for i in 1 2 3 4 5 6 7 8; do head -c 1M /dev/zero; echo $i >> {progress}; done"
    running = agent.start(Command.of(["/bin/sh", "-c", script]))
    output = running.output()
    next(output)
    time.sleep(0.5)
    written = progress.read_text() if progress.exists() else ""
    assert "3" not in written, "more than a window was produced"
    assert sum(len(data) for _, data in output) > (7 << 20)


def test_the_other_commands_go_on_while_one_is_not_read(agent: Agent) -> None:
    blocked = agent.start(Command.of(["cat", "/dev/zero"]))
    try:
        for _ in range(20):
            assert agent.exec(["echo", "hi"]).stdout == b"hi\n"
    finally:
        blocked.close()


@pytest.mark.slow
def test_a_thousand_in_a_row(agent: Agent) -> None:
    assert {agent.exec(["true"]).exit_code for _ in range(1000)} == {0}


def test_sixty_four_at_once(agent: Agent) -> None:
    gate = threading.Barrier(64)

    def run(number: int) -> bytes:
        gate.wait()
        data = str(number).encode() * 50_000
        return agent.exec(["cat"], stdin=data).stdout[: len(str(number))]

    with ThreadPoolExecutor(64) as pool:
        assert list(pool.map(run, range(64))) == [str(number).encode() for number in range(64)]


@pytest.mark.slow
def test_a_timeout_kills_the_command(agent: Agent, tmp_path: Path) -> None:
    marker = tmp_path / "still-alive"
    with pytest.raises(VMError, match=r"not ended after 0\.3 s"):
        agent.exec(f"yes; sleep 0.6; touch {marker}", timeout_s=0.3)
    with pytest.raises(VMError, match=r"not ended after 0\.3 s"):
        agent.exec(f"sleep 0.6; touch {marker}", timeout_s=0.3)
    time.sleep(0.6)
    assert not marker.exists()


def test_a_hundred_abandoned_commands_leave_room_for_others(agent: Agent) -> None:
    for _ in range(100):
        output = agent.start(Command.of(["cat", "/dev/zero"])).output()
        next(output)
        output.close()
    assert agent.exec(["true"]).exit_code == 0


def test_a_signal_from_the_host(agent: Agent) -> None:
    running = agent.start(
        Command.of("trap 'echo got it; exit 5' TERM; sleep 30 >/dev/null 2>&1 & echo ready; wait")
    )
    output = running.output(timeout_s=20)
    assert next(output) == (Stream.STDOUT, b"ready\n")
    running.signal(15)
    assert b"".join(data for _, data in output) == b"got it\n"
    assert running.result is not None
    assert running.result.exit_code == 5


def test_a_terminal(agent: Agent) -> None:
    size = TerminalSize(rows=33, columns=77)
    running = agent.start(Command.of("tty -s && stty size; cat", terminal=size), stdin=True)
    seen = bytearray()
    for _, data in running.output(timeout_s=20):
        seen += data
        if seen.endswith(b"33 77\r\n"):
            running.write_stdin(b"word\n")
            running.end_stdin()
    assert b"33 77\r\nword\r\nword\r\n" in seen
    assert running.result is not None
    assert running.result.exit_code == 0


def test_output_on_both_streams_stays_apart(agent: Agent) -> None:
    script = "for i in $(seq 500); do echo out; echo err >&2; done"
    result = agent.exec(script)
    assert result.stdout == b"out\n" * 500
    assert result.stderr == b"err\n" * 500


def test_digest_of_what_passes_both_ways(agent: Agent) -> None:
    data = hashlib.shake_128(b"seed").digest(3_000_001)
    result = agent.exec(["sha256sum"], stdin=data)
    assert result.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()


def test_a_file_goes_there_and_comes_back(agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "file"
    data = hashlib.shake_128(b"file").digest(5_000_001)
    agent.write_file(str(path), data)
    assert path.read_bytes() == data
    assert b"".join(agent.read_file(str(path))) == data
    agent.write_file("file", [b"short", b"er"], cwd=str(tmp_path))
    agent.write_file("file", b"LONG", cwd=str(tmp_path), truncate=False)
    assert path.read_bytes() == b"LONGter"
    agent.delete_file(str(path))
    assert not path.exists()


def test_an_empty_file(agent: Agent, tmp_path: Path) -> None:
    agent.write_file(str(tmp_path / "empty"), b"")
    assert list(agent.read_file(str(tmp_path / "empty"))) == []


def test_files_that_cannot_be(agent: Agent, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    with pytest.raises(AgentError, match=f"^{missing}: no such file") as caught:
        list(agent.read_file(missing))
    assert caught.value.code == "file_read_failed"
    with pytest.raises(AgentError) as caught:
        agent.write_file(f"{missing}/sub", b"x" * 3_000_000)
    assert caught.value.code == "file_write_failed"
    with pytest.raises(AgentError) as caught:
        agent.delete_file(missing)
    assert caught.value.code == "file_delete_failed"
    agent.delete_file(missing, missing_ok=True)
    with pytest.raises(AgentError):
        agent.delete_file("/", recursive=True, missing_ok=True)


def test_a_directory_is_deleted_only_when_that_is_said(agent: Agent, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "file").touch()
    with pytest.raises(AgentError):
        agent.delete_file(str(folder))
    agent.delete_file(str(folder), recursive=True)
    assert not folder.exists()


def test_a_file_of_many_chunks_read_half(agent: Agent, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(64 << 20))
    pieces = agent.read_file(str(tmp_path / "large"))
    assert next(pieces)
    pieces.close()
    assert agent.exec(["true"], timeout_s=60).exit_code == 0


def test_an_agent_that_dies_ends_every_command() -> None:
    with agent_process() as (channel, process):
        agent = Agent(channel)
        assert agent.line.wait_ready(20)
        running = agent.start(Command.of(["sleep", "60"]))
        process.kill()
        with pytest.raises(AgentError) as caught:
            list(running.output(timeout_s=20))
        assert caught.value.code == "disconnected"
        with pytest.raises(AgentError):
            agent.exec(["true"])
        agent.close()


def test_a_closed_agent_says_so(agent: Agent) -> None:
    agent.close()
    with pytest.raises(AgentError):
        agent.exec(["true"])
