from __future__ import annotations

import os
import resource
import socket
import threading
from pathlib import Path

import pytest

from bootsmith.errors import HostError
from bootsmith.host.channel import Channel
from bootsmith.host.listener import LoopbackListener, PathListener, connect


def test_a_connection_is_taken() -> None:
    listener = LoopbackListener()
    with socket.create_connection(("127.0.0.1", listener.port), timeout=20) as client:
        taken = listener.accept()
        assert taken is not None
        client.sendall(b"hello")
        assert taken.receive() == b"hello"
        taken.send(b"bye")
        taken.end_sending()
        assert client.recv(100) == b"bye"
        assert client.recv(100) == b""
        taken.close()
    listener.close()


def test_two_get_different_ports() -> None:
    first, second = LoopbackListener(), LoopbackListener()
    assert first.port != second.port
    with pytest.raises(HostError, match=str(first.port)) as caught:
        LoopbackListener(first.port)
    assert caught.value.hint
    first.close()
    second.close()


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_cannot_be(port: int) -> None:
    with pytest.raises(HostError):
        LoopbackListener(port)


def test_stopping_wakes_the_one_who_waits() -> None:
    listener = LoopbackListener()
    taken: list[Channel | None] = []
    taker = threading.Thread(target=lambda: taken.append(listener.accept()))
    taker.start()
    listener.stop()
    taker.join(20)
    assert taken == [None]
    listener.close()


@pytest.mark.parametrize("length", [1, 60, 200], ids=["short", "usual", "longer than an address"])
def test_a_path_that_leads_here(tmp_path: Path, length: int) -> None:
    path = tmp_path / ("x" * length) / "socket"
    path.parent.mkdir()
    listener = PathListener(path)
    theirs = connect(path)
    ours = listener.accept()
    assert ours is not None
    theirs.send(b"hello")
    assert ours.receive() == b"hello"
    for one in (ours, theirs, listener):
        one.close()


def test_a_path_that_leads_nowhere(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot connect to"):
        connect(tmp_path / "socket")
    (tmp_path / "socket").touch()
    with pytest.raises(HostError, match="cannot listen at"):
        PathListener(tmp_path / "socket")


def test_a_process_without_descriptors_takes_the_connection_later() -> None:
    listener = LoopbackListener()
    taken: list[Channel | None] = []
    taker = threading.Thread(target=lambda: taken.append(listener.accept()))
    with socket.create_connection(("127.0.0.1", listener.port), timeout=20):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # fewer than are open
        try:
            taker.start()
            taker.join(0.2)
            assert taker.is_alive()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        taker.join(20)
    (channel,) = taken
    assert channel is not None
    channel.close()
    listener.close()


def test_descriptors_beyond_a_thousand() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1200:
        pytest.skip("this system does not allow so many open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (1200, hard))
    many = [os.open(os.devnull, os.O_RDONLY) for _ in range(1050)]
    try:
        listener = LoopbackListener()
        with socket.create_connection(("127.0.0.1", listener.port), timeout=20):
            channel = listener.accept()
        assert channel is not None
        assert channel.fileno() > 1023
        channel.close()
        listener.close()
    finally:
        for one in many:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
