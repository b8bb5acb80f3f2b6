"""Many clients at one agent: a real agent where it behaves, a scripted one where it must not."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from bootsmith.errors import AgentError
from bootsmith.host.channel import Channel
from bootsmith.vm.agent import Agent
from bootsmith.vm.execution import Command
from bootsmith.vm.frame import MAX_FRAME_BYTES, FrameDecoder, Message
from bootsmith.vm.kept import outbox as outbox_module
from bootsmith.vm.kept import relay as relay_module
from bootsmith.vm.kept.relay import Conversation, Relay
from bootsmith.vm.line import Line
from tests.support.agent_process import agent_process
from tests.support.scripted_guest import Script, ScriptedGuest, envelope, framed, scripted_line


@contextmanager
def served(channel: Channel, **services: relay_module.Service) -> Iterator[Relay]:
    line = Line(channel)
    assert line.wait_ready(20)
    relay = Relay(line, services)
    try:
        yield relay
    finally:
        relay.close()
        line.close()


@pytest.fixture
def relay() -> Iterator[Relay]:
    with agent_process() as (channel, _), served(channel) as made:
        yield made


def client_of(relay: Relay) -> Channel:
    ours, theirs = Channel.pair()
    relay.serve(theirs)
    return ours


@contextmanager
def agent_of(relay: Relay) -> Iterator[Agent]:
    agent = Agent(client_of(relay))
    assert agent.line.wait_ready(20)
    try:
        yield agent
    finally:
        agent.close()


@contextmanager
def greeted(script: Script, *, greet: bool = True) -> Iterator[Agent]:
    """A client of a relay whose guest follows ``script``."""
    with (
        scripted_line(script, greet=greet) as line,
        served(line.channel) as relay,
        agent_of(relay) as agent,
    ):
        yield agent


def await_true(condition: object, what: str) -> None:
    end = time.monotonic() + 20
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, what
        time.sleep(0.001)


def runs(marker: str) -> bool:
    """Whether a process has ``marker`` among its words."""
    words = (path / "cmdline" for path in Path("/proc").glob("[0-9]*"))
    return any(marker.encode() in _read(path).split(b"\0") for path in words)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_client_sees_an_agent(relay: Relay, tmp_path: Path) -> None:
    data = hashlib.shake_128(b"relay").digest(3_000_001)
    with agent_of(relay) as agent:
        result = agent.exec(["sh", "-c", "cat; echo oops >&2; exit 3"], stdin=data, timeout_s=60)
        assert (result.exit_code, result.stdout, result.stderr) == (3, data, b"oops\n")
        agent.write_file(str(tmp_path / "file"), data)
        assert b"".join(agent.read_file(str(tmp_path / "file"))) == data
        agent.delete_file(str(tmp_path / "file"))
        with pytest.raises(AgentError) as refused:
            agent.delete_file(str(tmp_path / "file"))
        assert refused.value.code == "file_delete_failed"
        agent.sync()


def test_clients_with_the_same_ids_do_not_hear_each_other(relay: Relay) -> None:
    with agent_of(relay) as first, agent_of(relay) as second:

        def say(number: int) -> bytes:
            agent = (first, second)[number % 2]
            return agent.exec(["echo", str(number)], timeout_s=60).stdout

        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(say, range(200))) == [b"%d\n" % n for n in range(200)]


def test_what_a_client_leaves_behind_is_killed(relay: Relay) -> None:
    marker = "4711.25"
    with agent_of(relay) as watcher:
        with agent_of(relay) as agent:
            agent.start(Command.of(["sleep", marker]))
            await_true(lambda: runs(marker), "it does not run")
        await_true(lambda: not runs(marker), "it still runs")
        assert watcher.exec(["true"], timeout_s=20).exit_code == 0


def test_a_client_that_reads_nothing_holds_up_nobody(relay: Relay) -> None:
    idle = client_of(relay)
    for number in range(1, 5):
        idle.send(framed(envelope("exec_request", number, cmd="yes", stdout_window=8 << 20)))
    with agent_of(relay) as agent:
        for _ in range(20):
            assert agent.exec(["echo", "on"], timeout_s=20).stdout == b"on\n"
    idle.close()


def test_a_client_that_takes_no_file_is_let_go(
    relay: Relay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "STALL_TIMEOUT_S", 0.1)
    with (tmp_path / "large").open("wb") as file:
        file.truncate(64 << 20)
    idle = client_of(relay)
    idle.send(framed(envelope("file_read_request", 1, path=str(tmp_path / "large"))))
    with agent_of(relay) as agent:
        await_true(lambda: len(relay._clients) == 1, "it is still there")
        assert agent.exec(["echo", "on"], timeout_s=60).stdout == b"on\n"
    idle.close()


BREACHES = {
    "a frame that is too long": (MAX_FRAME_BYTES + 1).to_bytes(4, "big"),
    "no envelope": framed(b"\x01"),
    "another version": framed(envelope("sync_request", 1).replace(b"av\x01", b"av\x02")),
    "a float": framed(bytes.fromhex("a1 61 76 fb 3ff0000000000000")),
    "a cut frame": framed(envelope("exec_request", 1, cmd="true"))[:-3],
    "nothing at all": b"",
}  # fmt: skip


@pytest.mark.parametrize("breach", BREACHES)
def test_only_the_client_that_breaks_the_protocol_is_let_go(relay: Relay, breach: str) -> None:
    bad = client_of(relay)
    bad.send(BREACHES[breach])
    bad.end_sending()
    with agent_of(relay) as good:
        while bad.receive():
            pass
        assert good.exec(["echo", "on"], timeout_s=20).stdout == b"on\n"
    bad.close()


REFUSED: dict[str, tuple[str, dict[str, object], str]] = {
    "input for nothing": ("stdin_data", {"data": b"x"}, "unknown_id"),
    "a signal for nothing": ("exec_signal", {"signal": 9}, "unknown_id"),
    "an unknown request": ("reboot_the_world", {}, "unknown_id"),
    "the owner's business": ("shutdown_request", {}, "unknown_id"),
    "a field of another type": ("exec_request", {"cmd": 7}, "invalid_request"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_what_is_wrong_is_refused_and_the_client_stays(relay: Relay, row: str) -> None:
    kind, payload, code = REFUSED[row]
    client = client_of(relay)
    decoder = FrameDecoder()
    client.send(framed(envelope(kind, 9, **payload)))
    messages: list[Message] = []
    while len(messages) < 2:
        messages += decoder.feed(client.receive())
    greeting, answer = messages
    assert (greeting.kind, answer.kind, answer.id) == ("vfs_ready", "error", 9)
    assert answer.payload["code"] == code
    client.send(framed(envelope("exec_request", 9, cmd="true")))
    while not any(message.kind == "exec_response" for message in messages):
        messages += decoder.feed(client.receive())
    client.close()


def test_an_id_is_used_once_at_a_time(relay: Relay) -> None:
    client = client_of(relay)
    seconds = f"1000.{os.getpid()}"  # others may run these tests on this machine
    for _ in range(2):
        client.send(framed(envelope("exec_request", 5, cmd="sleep", argv=[seconds])))
    decoder = FrameDecoder()
    messages: list[Message] = []
    while len(messages) < 2:
        messages += decoder.feed(client.receive())
    assert messages[-1].payload["message"] == "this id is in use"
    client.close()
    await_true(lambda: not runs(seconds), "it still runs")


def test_an_agent_that_is_killed() -> None:
    with agent_process() as (channel, process), served(channel) as relay, agent_of(relay) as agent:
        running = agent.start(Command.of(["sleep", "1000"]))
        process.kill()
        with pytest.raises(AgentError) as ended:
            list(running.output(timeout_s=20))
        assert ended.value.code == "disconnected"
        with pytest.raises(AgentError):
            agent.exec(["true"], timeout_s=20)


def test_an_agent_that_starts_anew() -> None:
    def script(guest: ScriptedGuest) -> None:
        guest.expect("exec_request")
        guest.send("vfs_ready", 0)
        again = guest.expect("exec_request")
        guest.send("exec_response", again.id, exit_code=4)

    with greeted(script) as agent:
        with pytest.raises(AgentError) as ended:
            agent.exec(["true"], timeout_s=20)
        assert ended.value.code == "restarted"
        assert agent.exec(["true"], timeout_s=20).exit_code == 4


GUESTS_BREACHES = {key: value for key, value in BREACHES.items() if key != "nothing at all"}


@pytest.mark.parametrize("breach", GUESTS_BREACHES)
def test_a_guest_that_breaks_the_protocol(breach: str) -> None:
    def script(guest: ScriptedGuest) -> None:
        guest.expect("exec_request")
        guest.send_raw(GUESTS_BREACHES[breach])
        guest.hang_up()

    with greeted(script) as agent, pytest.raises(AgentError):
        agent.exec(["true"], timeout_s=20)


def test_a_guest_whose_share_failed_says_so_to_every_client() -> None:
    def script(guest: ScriptedGuest) -> None:
        guest.send("vfs_error", 0, message="no fuse")

    with greeted(script, greet=False) as agent:
        assert agent.line.share_failure == "no fuse"


def test_a_file_that_nobody_writes_any_more_is_closed(relay: Relay, tmp_path: Path) -> None:
    for number in range(70):  # the agent has room for 64
        client = client_of(relay)
        path = str(tmp_path / str(number))
        client.send(framed(envelope("file_write_request", 1, path=path)))
        client.send(framed(envelope("file_write_data", 1, data=b"half")))
        await_true((tmp_path / str(number)).exists, "it is not there")
        client.close()
    with agent_of(relay) as agent:
        agent.write_file(str(tmp_path / "last"), b"whole", timeout_s=20)


def test_a_request_for_the_owner() -> None:
    over = threading.Event()

    def answer(conversation: Conversation) -> None:
        conversation.when_over(over.set)
        conversation.send("machine_echo", {"said": conversation.request.text("say")})

    with agent_process() as (channel, _), served(channel, machine_say=answer) as relay:
        client = client_of(relay)
        decoder = FrameDecoder()
        client.send(framed(envelope("machine_say", 3, say="hello")))
        client.send(framed(envelope("machine_say", 4, shout="hello")))
        messages: list[Message] = []
        while len(messages) < 3:
            messages += decoder.feed(client.receive())
        answers = {message.id: message for message in messages}
        assert answers[3].payload == {"said": "hello"}
        assert answers[4].kind == "error"
        client.close()
        assert over.wait(20)


def test_what_is_under_way_is_sent_before_the_end() -> None:
    def script(guest: ScriptedGuest) -> None:
        request = guest.expect("exec_request")
        for _ in range(64):
            guest.send("exec_output", request.id, stream="stdout", data=bytes(16 << 10))
        guest.hang_up()

    with scripted_line(script, greet=True) as line:
        ours, theirs = Channel.pair()
        decoder = FrameDecoder()
        received: list[Message] = []

        def read() -> None:
            while data := ours.receive():
                received.extend(decoder.feed(data))

        reader = threading.Thread(target=read)
        with served(line.channel) as relay:
            relay.serve(theirs)
            ours.send(framed(envelope("exec_request", 1, cmd="x", stdout_window=1 << 20)))
            await_true(lambda: relay.line.failure is not None, "the guest is still there")
            reader.start()
        reader.join(20)
        printed = [message for message in received if message.kind == "exec_output"]
        assert sum(len(message.data("data")) for message in printed) == 1 << 20
        assert received[-1].kind == "error"
        ours.close()


def test_a_guest_that_floods_a_client_who_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows are the guest's to keep; one that does not fills the keeper's memory, once."""
    monkeypatch.setattr(outbox_module, "FLOOD_BYTES", 4 << 20)

    def script(guest: ScriptedGuest) -> None:
        number = guest.expect("exec_request").id
        for _ in range(200):
            guest.send("exec_output", number, stream="stdout", data=bytes(64 << 10))
        guest.expect("exec_signal")  # the client was let go, and its command killed
        guest.send("exec_response", guest.expect("exec_request").id, exit_code=0)

    with scripted_line(script, greet=True) as line, served(line.channel) as relay:
        idle = client_of(relay)
        idle.send(framed(envelope("exec_request", 1, cmd="yes", argv=[], stdout_window=1 << 20)))
        with agent_of(relay) as agent:
            line.player.join(0.5)
            assert agent.exec(["true"], timeout_s=20).exit_code == 0
        idle.close()
