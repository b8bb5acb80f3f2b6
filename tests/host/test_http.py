"""Servers that answer what no server should."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bootsmith.errors import FetchError
from bootsmith.host.http import HttpClient

_OK = b"HTTP/1.1 200 OK\r\n"
ANSWERS = {
    "a redirect to itself": b"HTTP/1.1 302 x\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
    "a redirect to a file": b"HTTP/1.1 302 x\r\nLocation: file:///etc/passwd\r\n\r\n",
    "a redirect to another scheme": b"HTTP/1.1 302 x\r\nLocation: ftp://x/y\r\n\r\n",
    "a redirect to nowhere": b"HTTP/1.1 302 x\r\nLocation: http://[x\r\n\r\n",
    "no HTTP": b"\0\xff\r\n\r\n",
    "a header without end": _OK + b"X: " + b"a" * 100_000,
    "headers without end": _OK + b"X: a\r\n" * 1000 + b"\r\n",
    "two lengths": _OK + b"Content-Length: 5\r\nContent-Length: 9\r\n\r\nhello",
    "less than announced": _OK + b"Content-Length: 9\r\n\r\nhello",
    "chunks that are none": _OK + b"Transfer-Encoding: chunked\r\n\r\nZZZZ\r\nabc",
    "more than is taken": _OK + b"Content-Length: 200\r\n\r\n" + b"x" * 200,
    "silence": b"",
}


@contextmanager
def server(answer: bytes) -> Iterator[str]:
    """The address of a server that says ``answer`` to whoever connects, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                with client:
                    client.recv(1 << 16)
                    client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(20)


@pytest.mark.parametrize("name", ANSWERS)
def test_what_no_server_should_answer(name: str) -> None:
    with server(ANSWERS[name]) as url, pytest.raises(FetchError):
        HttpClient(timeout_s=10).read(url, most_bytes=100)


def test_what_a_server_should_answer() -> None:
    with server(_OK + b"Content-Length: 5\r\n\r\nhello") as url:
        assert HttpClient(timeout_s=10).read(url) == b"hello"
