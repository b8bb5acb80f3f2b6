from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bootsmith.errors import HostError
from bootsmith.vm.forwards import Forward
from bootsmith.vm.line import Line
from tests.support.scripted_guest import Script, ScriptedGuest, scripted_line


@contextmanager
def forward_to(script: Script) -> Iterator[Forward]:
    with scripted_line(script) as scripted:
        line = Line(scripted.channel)
        forward = Forward(line, guest_port=80)
        try:
            yield forward
            scripted.player.join(20)
        finally:
            forward.close()
            forward.close()
            line.close()


def connect(forward: Forward) -> socket.socket:
    return socket.create_connection(("127.0.0.1", forward.host_port), timeout=20)


def opened(guest: ScriptedGuest) -> int:
    request = guest.expect("tcp_open")
    assert request.payload == {"host": "127.0.0.1", "port": 80}
    guest.send("tcp_opened", request.id, ok=True)
    return request.id


def test_a_conversation() -> None:
    def script(guest: ScriptedGuest) -> None:
        number = opened(guest)
        assert guest.expect("tcp_data").data("data") == b"ping"
        guest.send("tcp_data", number, data=b"po")
        guest.send("tcp_data", number, data=b"ng")
        guest.expect("tcp_eof")
        guest.send("tcp_data", number, data=b", bye")
        guest.send("tcp_close", number)

    with forward_to(script) as forward, connect(forward) as client:
        client.sendall(b"ping")
        assert client.makefile("rb").read(4) == b"pong"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b", bye"
        assert client.recv(100) == b""


def test_two_connections_stay_apart() -> None:
    def script(guest: ScriptedGuest) -> None:
        first, second = opened(guest), opened(guest)
        for number in (second, first):
            guest.send("tcp_data", number, data=str(number).encode())
            guest.send("tcp_close", number)

    with forward_to(script) as forward, connect(forward) as first, connect(forward) as second:
        said = {first.recv(100), second.recv(100)}
        assert len(said) == 2


def refused(guest: ScriptedGuest) -> None:
    number = guest.expect("tcp_open").id
    guest.send("tcp_opened", number, ok=False, message="connection refused")


def broken(guest: ScriptedGuest) -> None:
    guest.send("exec_output", guest.expect("tcp_open").id)


def nonsense_later(guest: ScriptedGuest) -> None:
    guest.send("tcp_data", opened(guest), data="text")
    guest.expect("tcp_close")


def gone(guest: ScriptedGuest) -> None:
    opened(guest)
    guest.hang_up()


@pytest.mark.parametrize("script", [refused, broken, nonsense_later, gone])
def test_a_guest_that_does_not_serve_ends_the_connection(script: Callable[..., None]) -> None:
    with forward_to(script) as forward, connect(forward) as client:
        assert client.recv(100) == b""


def test_a_client_that_leaves_is_told_to_the_guest() -> None:
    told = threading.Event()

    def script(guest: ScriptedGuest) -> None:
        number = opened(guest)
        guest.expect("tcp_eof")
        for _ in range(64):  # until the client's system says that nobody is there
            guest.send("tcp_data", number, data=bytes(64 << 10))
        guest.expect("tcp_close")
        told.set()

    with forward_to(script) as forward:
        connect(forward).close()
        assert told.wait(20)


def test_closing_a_forward_ends_its_connections() -> None:
    def script(guest: ScriptedGuest) -> None:
        guest.send("tcp_data", opened(guest), data=b"x")
        guest.expect("tcp_close")

    with forward_to(script) as forward, connect(forward) as client:
        assert client.recv(100) == b"x"
        forward.close()
        assert client.recv(100) == b""
        with pytest.raises(OSError, match="refused"):
            connect(forward)


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with scripted_line(lambda guest: None) as scripted:
            line = Line(scripted.channel)
            with pytest.raises(HostError, match=str(port)):
                Forward(line, guest_port=80, host_port=port)
            line.close()
