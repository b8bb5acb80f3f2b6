"""The server of the tests does what a mirror does, and its faults are real."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.support.http_server import Fault, Server, etag, serve

DATA = b"hello world"


@pytest.fixture
def server() -> Iterator[Server]:
    with serve({"a b.txt": DATA}) as one:
        yield one


def get(server: Server, path: str = "/a%20b.txt", **headers: str) -> tuple[int, bytes]:
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=5)
    try:
        connection.request(
            "GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("headers", "status", "body"),
    [
        ({}, 200, DATA),
        ({"If_None_Match": etag(DATA)}, 304, b""),
        ({"If_None_Match": '"other"'}, 200, DATA),
        ({"If_Modified_Since": "Sat, 01 Jan 2022 00:00:00 GMT"}, 304, b""),
        ({"Range": "bytes=6-"}, 206, b"world"),
        ({"Range": "bytes=0-1"}, 206, b"he"),
        ({"Range": "bytes=-3"}, 206, b"rld"),
        ({"Range": "bytes=11-"}, 416, b""),
        ({"Range": "bytes=6-", "If_Range": etag(DATA)}, 206, b"world"),
        ({"Range": "bytes=6-", "If_Range": '"other"'}, 200, DATA),
    ],
)
def test_answers(server: Server, headers: dict[str, str], status: int, body: bytes) -> None:
    assert get(server, **headers) == (status, body)


def test_what_is_not_there(server: Server) -> None:
    assert get(server, "/other")[0] == 404


def test_faults_come_in_order_and_end(server: Server) -> None:
    server.fail("a b.txt", Fault(status=503, body=b"later"), Fault(replace_with=b"other"))
    assert [get(server) for _ in range(3)] == [(503, b"later"), (200, b"other"), (200, DATA)]
    assert server.paths(status=200) == ["a b.txt"] * 2


def test_a_cut_connection(server: Server) -> None:
    server.fail("a b.txt", Fault(cut_after=3))
    with pytest.raises(http.client.IncompleteRead) as caught:
        get(server)
    assert caught.value.partial == DATA[:3]


def test_no_answer_at_all(server: Server) -> None:
    server.fail_always("*", Fault(silent=True))
    with pytest.raises(http.client.RemoteDisconnected):
        get(server)
    server.heal()
    assert get(server) == (200, DATA)


def test_a_server_without_ranges(server: Server) -> None:
    server.fail("a b.txt", Fault(without_range=True))
    assert get(server, Range="bytes=6-") == (200, DATA)
