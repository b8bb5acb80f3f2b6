"""A real HTTP server on loopback, with faults on order.

It answers as a mirror does: ``ETag`` and ``Last-Modified`` with revalidation (304), single
``Range`` requests (206, 416, ``If-Range``), keep-alive, 404 for what it does not have.  A
test scripts what goes wrong::

    with serve({"a.txt": b"hello"}) as server:
        server.fail("a.txt", Fault(status=503), Fault(cut_after=2))
        get(server.url + "a.txt")  # 503
        get(server.url + "a.txt")  # two bytes, then the connection is gone
        get(server.url + "a.txt")  # right
"""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any, cast
from urllib.parse import unquote, urlsplit

_DRIBBLE_S = 0.002
_LAST_MODIFIED = "Sat, 01 Jan 2022 00:00:00 GMT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with one answer.

    ``status`` is sent instead of the file, with ``headers`` and ``body``; ``cut_after`` closes
    the connection after so many bytes of the body; ``replace_with`` sends these bytes as if
    they were the file; ``delay_s`` waits before the answer; ``without_range`` ignores a Range
    header, as some mirrors do; ``silent`` closes the connection before any answer;
    ``dribble_after`` sends so many bytes of the answer, headers included, and from then on one at
    a time.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut_after: int | None = None
    replace_with: bytes | None = None
    delay_s: float = 0
    without_range: bool = False
    silent: bool = False
    dribble_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it arrived.  Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    status: int


class Server:
    """The files served, the faults to come and the requests so far."""

    def __init__(self, files: Mapping[str, bytes], port: int) -> None:
        self.files: dict[str, bytes] = {path.lstrip("/"): data for path, data in files.items()}
        self.requests: list[Request] = []
        self.url = f"http://127.0.0.1:{port}/"
        self._faults: dict[str, deque[Fault]] = {}
        self._always: dict[str, Fault] = {}
        self._lock = threading.Lock()

    def fail(self, path: str, *faults: Fault) -> None:
        """The next answers for ``path`` have these faults, in this order; then all is well."""
        with self._lock:
            self._faults.setdefault(path.lstrip("/"), deque()).extend(faults)

    def fail_always(self, path: str, fault: Fault) -> None:
        """Every answer for ``path`` has this fault; ``*`` means every path."""
        with self._lock:
            self._always[path.lstrip("/")] = fault

    def heal(self) -> None:
        """No more faults."""
        with self._lock:
            self._faults.clear()
            self._always.clear()

    def paths(self, *, status: int | None = None) -> list[str]:
        """The paths asked for so far, in order, perhaps only those answered with ``status``."""
        return [one.path for one in self.requests if status in (None, one.status)]

    def next_fault(self, path: str) -> Fault:
        with self._lock:
            if waiting := self._faults.get(path):
                return waiting.popleft()
            return self._always.get(path) or self._always.get("*") or Fault()

    def note(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)


@contextmanager
def serve(files: Mapping[str, bytes]) -> Iterator[Server]:
    """Serve ``files`` (path below the root → content) while the ``with`` block runs."""
    httpd = _HttpServer(("127.0.0.1", 0), _Handler)
    httpd.content = Server(files, httpd.server_address[1])
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield httpd.content
    finally:
        httpd.shutdown()
        httpd.close_clients()
        httpd.server_close()
        thread.join()


class _HttpServer(ThreadingHTTPServer):
    content: Server
    daemon_threads = True
    block_on_close = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._clients: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        client, address = super().get_request()
        self._clients.add(client)
        return client, address

    def close_clients(self) -> None:
        """Wake the threads that wait for the next request of a kept-alive connection."""
        for client in self._clients:
            if client.fileno() >= 0:
                _break_off(client)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news; the tests tell what they expected."""


class _Handler(BaseHTTPRequestHandler):
    server: _HttpServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base names it so
        """Nothing on the terminal; requests are in ``Server.requests``."""

    def _answer(self, *, with_body: bool) -> None:
        content = self.server.content
        path = unquote(urlsplit(self.path).path).lstrip("/")
        fault = content.next_fault(path)
        time.sleep(fault.delay_s)
        status, headers, body = self._decide(path, fault)
        content.note(
            Request(
                method=self.command,
                path=path,
                headers={name.lower(): value for name, value in self.headers.items()},
                status=status,
            )
        )
        if fault.silent:
            self._hang_up()
            return
        if fault.dribble_after is not None:
            self.wfile = cast("BufferedIOBase", _Dribble(self.wfile, fault.dribble_after))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not with_body or status == 304:
            return
        if fault.cut_after is not None:
            self.wfile.write(body[: fault.cut_after])
            self._hang_up()
            return
        self.wfile.write(body)

    def _decide(self, path: str, fault: Fault) -> tuple[int, dict[str, str], bytes]:
        if fault.status is not None:
            return fault.status, dict(fault.headers), fault.body
        data = self.server.content.files.get(path)
        if data is None:
            return 404, {}, b"not here\n"
        headers = {
            "ETag": etag(data),
            "Last-Modified": _LAST_MODIFIED,
            "Accept-Ranges": "bytes",
            **fault.headers,
        }
        if self._is_current(headers["ETag"]):
            return 304, headers, b""
        sent = data if fault.replace_with is None else fault.replace_with
        wanted = None if fault.without_range else self._range(headers["ETag"], len(sent))
        if wanted is None:
            return 200, headers, sent
        start, end = wanted
        if start >= len(sent):
            return 416, headers | {"Content-Range": f"bytes */{len(sent)}"}, b""
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(sent)}"
        return 206, headers, sent[start:end]

    def _is_current(self, tag: str) -> bool:
        if (asked := self.headers.get("If-None-Match")) is not None:
            return tag in asked or asked.strip() == "*"
        return self.headers.get("If-Modified-Since") == _LAST_MODIFIED

    def _range(self, tag: str, size: int) -> tuple[int, int] | None:
        """The half-open stretch asked for, or ``None`` for the whole file."""
        asked = self.headers.get("Range", "")
        if not asked.startswith("bytes=") or "," in asked:
            return None
        if self.headers.get("If-Range", tag) not in (tag, _LAST_MODIFIED):
            return None
        first, _, last = asked.removeprefix("bytes=").partition("-")
        if not first:
            return max(0, size - int(last)), size
        return int(first), min(size, int(last) + 1) if last else size

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        _break_off(self.connection)


class _Dribble:
    """A stream whose bytes go out one by one, after the first ``at_once``."""

    def __init__(self, stream: BufferedIOBase, at_once: int) -> None:
        self._stream = stream
        self._at_once = at_once

    def write(self, data: bytes) -> int:
        first, rest = data[: self._at_once], data[self._at_once :]
        self._at_once -= len(first)
        self._stream.write(first)
        for byte in rest:
            time.sleep(_DRIBBLE_S)
            self._stream.write(bytes([byte]))
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def etag(data: bytes) -> str:
    """The entity tag this server gives to ``data``."""
    return f'"{hashlib.sha256(data).hexdigest()[:16]}"'


def _break_off(client: socket.socket) -> None:
    try:
        client.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side was faster
