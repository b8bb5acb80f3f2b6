from __future__ import annotations

import threading

import pytest

from bootsmith.errors import HostError
from bootsmith.host.channel import Channel


def test_all_of_a_large_message_arrives_in_order() -> None:
    ours, theirs = Channel.pair()
    parts = [bytes([number]) * 700_001 for number in range(5)]
    received = bytearray()

    def receive() -> None:
        while data := theirs.receive():
            received.extend(data)

    reader = threading.Thread(target=receive)
    reader.start()
    ours.send(*parts, b"", b"end")
    ours.hang_up()
    reader.join()
    assert received == b"".join(parts) + b"end"
    ours.close()
    theirs.close()


def test_messages_of_many_threads_do_not_mix() -> None:
    ours, theirs = Channel.pair()
    senders = [
        threading.Thread(target=ours.send, args=(bytes([number]) * 300_000,)) for number in range(8)
    ]
    for sender in senders:
        sender.start()
    received = bytearray()
    while len(received) < 8 * 300_000:
        received += theirs.receive()
    for sender in senders:
        sender.join()
    order = received[::300_000]
    assert received == b"".join(bytes([number]) * 300_000 for number in order)
    ours.close()
    theirs.close()


def test_an_end_is_no_data_and_a_failed_send() -> None:
    ours, theirs = Channel.pair()
    theirs.close()
    assert ours.receive() == b""
    with pytest.raises(HostError, match="gone"):
        ours.send(b"anybody there?")
    ours.close()


def test_hanging_up_wakes_the_receiver() -> None:
    ours, theirs = Channel.pair()
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(ours.receive()))
    reader.start()
    ours.hang_up()
    reader.join(20)
    assert received == [b""]
    ours.close()
    theirs.close()
