"""Commands in the guest."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Self

from bootsmith.errors import AgentError
from bootsmith.host.clock import Deadline
from bootsmith.vm.cbor import Value
from bootsmith.vm.line import Exchange, Line

# Large enough that a busy pipe never waits for the host, small enough that 64 commands at once
# keep the host below 128 MiB.
WINDOW_BYTES = 1 << 20
_CREDIT_BYTES = WINDOW_BYTES // 4
_STDIN_CHUNK_BYTES = 64 << 10

_SIZE_LIMIT = 0xFFFF
_SIGKILL = 9  # Linux's number, whatever system the host runs


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """How a command ended.  ``exit_code`` is 128 + n after signal n; 127: it did not start."""

    exit_code: int
    stdout: bytes = b""
    stderr: bytes = b""
    signal: int | None = None


class Stream(Enum):
    STDOUT = "stdout"
    STDERR = "stderr"


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalSize:
    """A terminal is wanted, of this size."""

    rows: int = 24
    columns: int = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run.  ``env`` is added to the environment of the agent."""

    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    cwd: str | None = None
    terminal: TerminalSize | None = None

    @classmethod
    def of(
        cls,
        command: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        terminal: TerminalSize | None = None,
    ) -> Self:
        """A text is run by ``/bin/sh -lc``, a sequence is the argument vector itself.

        Raises ``AgentError`` for an empty one, and for what no program can be given.
        """
        argv = ("/bin/sh", "-lc", command) if isinstance(command, str) else tuple(command)
        if not argv or not argv[0]:
            raise AgentError("there is no command to run", code="invalid_request")
        _require_passable(argv, env or {}, cwd)
        return cls(argv=argv, env=tuple((env or {}).items()), cwd=cwd, terminal=terminal)


class RunningCommand:
    """A command under way in the guest; iterate ``output()`` to the end, or ``close()`` it.

    The guest sends no more than its window until the output has been consumed, so a slow reader
    slows the command and nothing grows.
    """

    def __init__(self, line: Line, command: Command, *, stdin: bool) -> None:
        self._exchange = line.open()
        self._open_bytes = dict.fromkeys(Stream, WINDOW_BYTES)
        self._owed_bytes = dict.fromkeys(Stream, 0)
        self._has_terminal = command.terminal is not None
        self._is_closed = False
        self.result: ExecResult | None = None
        try:
            self._exchange.send("exec_request", _request(command, stdin=stdin))
            if command.terminal is not None:
                self.resize(command.terminal)
        except BaseException:
            self.close()
            raise

    def output(
        self, *, timeout_s: float | None = None
    ) -> Generator[tuple[Stream, bytes], None, None]:
        """What the command prints, as it comes; afterwards ``result`` tells how it ended.

        Raises ``AgentError`` when the agent refuses or breaks the protocol, ``VMError`` when the
        command has not ended after ``timeout_s``.
        """
        deadline = Deadline.after(timeout_s)
        late = f"the command has not ended after {timeout_s:g} s" if timeout_s is not None else ""
        try:
            while self.result is None:
                message = self._exchange.receive(deadline, late=late)
                match message.kind:
                    case "exec_output":
                        stream, data = self._account(message.text("stream"), message.data("data"))
                        yield stream, data
                        self._give_credit(stream, len(data))
                    case "exec_response":
                        self.result = ExecResult(
                            exit_code=message.number("exit_code"),
                            signal=message.optional_number("signal"),
                        )
                    case kind:
                        raise AgentError(f"the guest answered a command with {kind!r}")
        finally:
            self.close()

    def write_stdin(self, data: bytes) -> bool:
        """Send ``data``, waiting until the guest takes it; false when it takes no more."""
        view = memoryview(data)
        while view:
            size = self._exchange.stdin_credit.take(min(len(view), _STDIN_CHUNK_BYTES))
            if size == 0:
                return False
            self._exchange.send("stdin_data", {"data": bytes(view[:size])})
            view = view[size:]
        return True

    def end_stdin(self) -> None:
        """There is no more input; on a terminal that is the key Ctrl-D."""
        if self._has_terminal:
            self.write_stdin(b"\x04")
        else:
            self._exchange.send("stdin_data", {"data": b"", "eof": True})

    def resize(self, size: TerminalSize) -> None:
        """The terminal has another size now."""
        rows, columns = min(size.rows, _SIZE_LIMIT), min(size.columns, _SIZE_LIMIT)
        self._exchange.send("pty_resize", {"rows": rows, "cols": columns})

    def feed(self, chunks: Iterable[bytes]) -> threading.Thread:
        """Send ``chunks`` and then the end of input, from a thread of its own."""
        thread = threading.Thread(
            target=self._feed, args=(chunks,), name="bootsmith-stdin", daemon=True
        )
        thread.start()
        return thread

    def signal(self, number: int) -> None:
        """Send a signal to the command's process group.

        The message is an extension of ours: another agent than bootsmith's answers it with an
        error, which ends the command's output.
        """
        self._exchange.send("exec_signal", {"signal": number})

    def close(self) -> None:
        """Nothing more is wanted of it: a command that still runs is killed."""
        if not self._is_closed:
            self._is_closed = True
            if self.result is None:
                with contextlib.suppress(AgentError):  # the line has ended, and the command with it
                    abandon(self._exchange)
            self._exchange.close()

    def _feed(self, chunks: Iterable[bytes]) -> None:
        try:
            if all(self.write_stdin(chunk) for chunk in chunks):
                self.end_stdin()
        except BaseException as error:  # noqa: BLE001 - raised by whoever reads the output
            self._exchange.fail(error)

    def _account(self, name: str, data: bytes) -> tuple[Stream, bytes]:
        try:
            stream = Stream(name)
        except ValueError:
            raise AgentError(f"the guest sent output of the stream {name!r}") from None
        self._open_bytes[stream] -= len(data)
        if self._open_bytes[stream] < 0:
            raise AgentError(f"the guest sent more {name} than its window allows")
        return stream, data

    def _give_credit(self, stream: Stream, size_bytes: int) -> None:
        self._owed_bytes[stream] += size_bytes
        owed = self._owed_bytes[stream]
        if owed >= _CREDIT_BYTES:
            self._owed_bytes[stream] = 0
            self._open_bytes[stream] += owed
            self._exchange.send("exec_window", {stream.value: owed})


def abandon(exchange: Exchange) -> None:
    """Kill the command that runs in ``exchange``.  Raises ``AgentError`` on a dead line."""
    exchange.send("exec_signal", {"signal": _SIGKILL})
    # What is still in its pipes must have somewhere to go, or it never ends in the guest.
    exchange.send("exec_window", {stream.value: WINDOW_BYTES for stream in Stream})


def _require_passable(argv: Sequence[str], env: Mapping[str, str], cwd: str | None) -> None:
    """The kernel takes texts that end with a NUL, and a variable's name ends with a ``=``."""
    for name in env:
        if not name or "=" in name:
            raise AgentError(
                f"{name!r} is no name of a variable",
                code="invalid_request",
                hint="a name is not empty and has no = in it",
            )
    for text in (*argv, *env, *map(str, env.values()), cwd or ""):
        if "\0" in text:
            raise AgentError(
                f"a command, its variables and its folder hold no NUL character: {text!r}",
                code="invalid_request",
                hint="send such data through stdin or a file",
            )


def _request(command: Command, *, stdin: bool) -> dict[str, Value]:
    program, *arguments = command.argv
    request: dict[str, Value] = {
        "cmd": _word(program),
        "argv": [_word(argument) for argument in arguments],
        "env": [_word(f"{name}={value}") for name, value in command.env],
        "stdin": stdin,
        "pty": command.terminal is not None,
        "stdout_window": WINDOW_BYTES,
        "stderr_window": WINDOW_BYTES,
    }
    if command.cwd is not None:
        request["cwd"] = _word(command.cwd)
    return request


def _word(text: str) -> Value:
    """Text where it is text; names that are not UTF-8 go as the bytes they are."""
    raw = text.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw
