from __future__ import annotations

import threading
import time

import pytest

from bootsmith.errors import AgentError
from bootsmith.host.clock import Deadline
from bootsmith.vm.flow import Backlog, Credit, Inbox
from bootsmith.vm.frame import Message

SOON = Deadline.after(None)


def message(size_bytes: int, number: int = 1) -> Message:
    return Message("x", number, {}, size_bytes)


def test_messages_come_out_in_order_and_then_the_failure() -> None:
    inbox = Inbox()
    inbox.put(message(1, 1))
    inbox.put(message(1, 2))
    inbox.fail(ValueError("over"))
    inbox.put(message(1, 3))
    first, second = inbox.get(SOON), inbox.get(SOON)
    assert first is not None
    assert second is not None
    assert (first.id, second.id) == (1, 2)
    for _ in range(2):
        with pytest.raises(ValueError, match="over"):
            inbox.get(SOON)


def test_nothing_in_time_is_none() -> None:
    assert Inbox().get(Deadline.after(0.01)) is None


def test_a_full_inbox_makes_the_sender_wait() -> None:
    inbox = Inbox(limit_bytes=10)
    inbox.put(message(10))
    sender = threading.Thread(target=inbox.put, args=(message(1, 2),))
    sender.start()
    sender.join(0.1)
    assert sender.is_alive()
    assert inbox.get(SOON)
    sender.join(20)
    assert not sender.is_alive()
    assert inbox.get(SOON)


def test_a_closed_inbox_lets_the_sender_go() -> None:
    inbox = Inbox(limit_bytes=1)
    inbox.put(message(1))
    sender = threading.Thread(target=inbox.put, args=(message(1),))
    sender.start()
    inbox.close()
    sender.join(20)
    assert not sender.is_alive()


def test_an_inbox_that_nobody_reads_is_given_up() -> None:
    inbox = Inbox(limit_bytes=1, stall_timeout_s=0.05)
    inbox.put(message(1))
    inbox.put(message(1))
    started = time.monotonic()
    inbox.put(message(1))
    assert time.monotonic() - started < 10, "only once is waited"
    assert inbox.get(SOON)
    with pytest.raises(AgentError, match="nobody has read") as caught:
        inbox.get(SOON)
    assert caught.value.code == "stalled"


def output(data: bytes, *, stream: str = "stdout", number: int = 1) -> Message:
    return Message("exec_output", number, {"stream": stream, "data": data}, len(data) + 40)


def test_output_that_comes_byte_by_byte_is_joined_when_much_of_it_waits() -> None:
    backlog = Backlog()
    data = bytes(index % 251 for index in range(100_000))
    for index in range(len(data)):
        backlog.add(output(data[index : index + 1]))
    assert len(backlog) < 200
    assert backlog.cost_bytes < 2 * len(data)
    taken = b"".join(backlog.take().data("data") for _ in range(len(backlog)))
    assert taken == data
    assert backlog.cost_bytes == 0


def test_only_output_of_one_stream_of_one_command_is_joined() -> None:
    backlog = Backlog()
    messages = [message(1, number) for number in range(64)]
    messages += [output(b"a"), output(b"b", stream="stderr"), output(b"c", number=2), message(1)]
    messages += [output(b"d"), Message("exec_output", 1, {"stream": "stdout", "data": "text"}, 1)]
    for one in messages:
        backlog.add(one)
    assert [backlog.take() for _ in range(len(backlog))] == messages


def test_a_message_costs_what_it_takes_in_memory() -> None:
    inbox = Inbox(limit_bytes=1 << 20, stall_timeout_s=0.05)
    for number in range(10_000):
        inbox.put(message(20, number))
    taken = 0
    with pytest.raises(AgentError, match="nobody has read"):
        while inbox.get(SOON):
            taken += 1
    assert taken < 2_000


def test_each_reader_of_a_failure_gets_an_exception_of_its_own() -> None:
    inbox = Inbox()
    inbox.fail(AgentError("gone", code="disconnected", hint="h"))
    caught = []
    for _ in range(2):
        with pytest.raises(AgentError) as info:
            inbox.get(SOON)
        caught.append(info.value)
    assert caught[0] is not caught[1]
    assert (caught[0].code, caught[0].hint) == ("disconnected", "h")


def test_credit_is_taken_at_most_once() -> None:
    credit = Credit()
    credit.add(10)
    assert [credit.take(6), credit.take(6)] == [6, 4]
    waiting: list[int] = []
    taker = threading.Thread(target=lambda: waiting.append(credit.take(1)))
    taker.start()
    credit.withdraw()
    taker.join(20)
    assert waiting == [0]
    credit.add(5)
    assert credit.take(5) == 0
