"""The guest agent, as its host sees it (CONTRACTS §3, ``virtio-port``)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

from bootsmith.errors import AgentError
from bootsmith.host.channel import Channel
from bootsmith.host.clock import Deadline
from bootsmith.vm.execution import Command, ExecResult, RunningCommand, Stream
from bootsmith.vm.line import Exchange, Line

_FILE_CHUNK_BYTES = 256 << 10
_FILE_FAILURES = {"file_read_failed", "file_write_failed", "file_delete_failed"}

Sink = Callable[[bytes], object]


class Agent:
    """Runs commands and moves files in a guest.  Usable from many threads at once."""

    def __init__(self, channel: Channel, *, on_change: Callable[[], None] = lambda: None) -> None:
        self.line = Line(channel, on_change=on_change)

    def exec(
        self,
        command: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        stdin: bytes | Iterable[bytes] | None = None,
        on_stdout: Sink | None = None,
        on_stderr: Sink | None = None,
        on_start: Callable[[RunningCommand], object] | None = None,
        most_bytes: int | None = None,
        timeout_s: float | None = None,
    ) -> ExecResult:
        """Run a command to its end.

        A text is run by ``/bin/sh -lc``, a sequence is the argument vector.  Output goes to the
        sinks as it comes; a stream without a sink is collected in the result.  ``on_start`` is
        given the one who runs it, before any output.

        Raises ``AgentError`` when the agent refuses or is gone, or when more than ``most_bytes`` of
        a stream would have to be collected; ``VMError`` when the command has not ended after
        ``timeout_s``.
        """
        running = self.start(Command.of(command, env=env, cwd=cwd), stdin=stdin is not None)
        if stdin is not None:
            running.feed((stdin,) if isinstance(stdin, bytes) else stdin)
        if on_start is not None:
            on_start(running)
        collected = {stream: _Collected("output", most_bytes) for stream in Stream}
        sinks: dict[Stream, Sink] = {
            Stream.STDOUT: on_stdout or collected[Stream.STDOUT].add,
            Stream.STDERR: on_stderr or collected[Stream.STDERR].add,
        }
        with contextlib.closing(running.output(timeout_s=timeout_s)) as output:
            for stream, data in output:
                sinks[stream](data)
        assert running.result is not None
        return ExecResult(
            exit_code=running.result.exit_code,
            signal=running.result.signal,
            stdout=bytes(collected[Stream.STDOUT].data),
            stderr=bytes(collected[Stream.STDERR].data),
        )

    def start(self, command: Command, *, stdin: bool = False) -> RunningCommand:
        """Start a command and hand back the one who runs it.  Raises ``AgentError``."""
        return RunningCommand(self.line, command, stdin=stdin)

    def read_file(
        self, path: str, *, cwd: str | None = None, timeout_s: float | None = None
    ) -> Generator[bytes, None, None]:
        """The content of a file, piece by piece.

        Raises ``AgentError`` (code ``file_read_failed``) when it cannot be read.
        """
        deadline = Deadline.after(timeout_s)
        exchange = self.line.open()
        try:
            request = _located(path, cwd) | {"chunk_size": _FILE_CHUNK_BYTES}
            exchange.send("file_read_request", request)
            with _naming(path):
                while (message := exchange.receive(deadline)).kind != "file_read_done":
                    if message.kind != "file_read_data":
                        raise _unexpected(message.kind, "file_read_data")
                    yield message.data("data")
        finally:
            exchange.close()

    def read_whole(
        self, path: str, *, most_bytes: int | None = None, timeout_s: float | None = None
    ) -> bytes:
        """The content of a file.  Raises as ``read_file``, and ``AgentError`` when it has more
        than ``most_bytes``: what a guest sends need not have an end."""
        collected = _Collected(path, most_bytes)
        with contextlib.closing(self.read_file(path, timeout_s=timeout_s)) as pieces:
            for piece in pieces:
                collected.add(piece)
        return bytes(collected.data)

    def write_file(
        self,
        path: str,
        data: bytes | Iterable[bytes],
        *,
        cwd: str | None = None,
        truncate: bool = True,
        timeout_s: float | None = None,
    ) -> None:
        """Write a file from its beginning; without ``truncate`` what is longer stays behind.

        Raises ``AgentError`` (code ``file_write_failed``) when it cannot be written.
        """
        deadline = Deadline.after(timeout_s)
        exchange = self.line.open()
        try:
            request = _located(path, cwd) | {"truncate": truncate}
            exchange.send("file_write_request", request)
            for chunk in (data,) if isinstance(data, bytes) else data:
                _send_pieces(exchange, chunk)
            exchange.send("file_write_data", {"data": b"", "eof": True})
            with _naming(path):
                _expect(exchange, "file_write_done", deadline)
        finally:
            exchange.close()

    def delete_file(
        self,
        path: str,
        *,
        cwd: str | None = None,
        missing_ok: bool = False,
        recursive: bool = False,
        timeout_s: float | None = None,
    ) -> None:
        """Delete a file, or with ``recursive`` a whole directory.

        Raises ``AgentError`` (code ``file_delete_failed``) when that is impossible.
        """
        exchange = self.line.open()
        try:
            request = _located(path, cwd) | {"force": missing_ok, "recursive": recursive}
            exchange.send("file_delete_request", request)
            with _naming(path):
                _expect(exchange, "file_delete_done", Deadline.after(timeout_s))
        finally:
            exchange.close()

    def sync(self, *, timeout_s: float | None = None) -> None:
        """Have everything written so far on the guest's disks.

        An extension of bootsmith's agent.  Raises ``AgentError`` with another one.
        """
        self._ask("sync_request", "sync_done", timeout_s)

    def shut_down(self, *, timeout_s: float | None = None) -> None:
        """Have the guest end its processes, write its disks and power off; it will do so soon.

        An extension of bootsmith's agent.  Raises ``AgentError`` with another one.
        """
        self._ask("shutdown_request", "shutdown_done", timeout_s)

    def _ask(self, request: str, answer: str, timeout_s: float | None) -> None:
        exchange = self.line.open()
        try:
            exchange.send(request, {})
            _expect(exchange, answer, Deadline.after(timeout_s))
        finally:
            exchange.close()

    def close(self) -> None:
        """Hang up; every command under way ends with an ``AgentError``."""
        self.line.close()


class _Collected:
    """What a guest sends as one; ``what`` names it in the error about too much."""

    def __init__(self, what: str, most_bytes: int | None) -> None:
        self._what = what
        self._most_bytes = most_bytes
        self.data = bytearray()

    def add(self, piece: bytes) -> None:
        self.data += piece
        if self._most_bytes is not None and len(self.data) > self._most_bytes:
            raise AgentError(
                f"the guest sent more than {self._most_bytes} bytes of {self._what}",
                code="too_large",
            )


def _located(path: str, cwd: str | None) -> dict[str, str | bool | int]:
    return {"path": path} if cwd is None else {"path": path, "cwd": cwd}


@contextlib.contextmanager
def _naming(path: str) -> Iterator[None]:
    """The guest says why it cannot work on a file, but not on which."""
    try:
        yield
    except AgentError as error:
        if error.code not in _FILE_FAILURES:
            raise
        raise AgentError(f"{path}: {error}", code=error.code, hint=error.hint) from error


def _send_pieces(exchange: Exchange, chunk: bytes) -> None:
    for start in range(0, len(chunk), _FILE_CHUNK_BYTES):
        piece = chunk[start : start + _FILE_CHUNK_BYTES]
        exchange.send("file_write_data", {"data": piece})


def _expect(exchange: Exchange, kind: str, deadline: Deadline) -> None:
    message = exchange.receive(deadline)
    if message.kind != kind:
        raise _unexpected(message.kind, kind)


def _unexpected(kind: str, wanted: str) -> AgentError:
    return AgentError(f"the guest answered {kind!r} where {wanted!r} was expected")
