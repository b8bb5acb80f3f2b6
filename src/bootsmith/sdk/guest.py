"""What can be done in a guest, however its machine is reached."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias

from bootsmith.host.files import user_path
from bootsmith.sdk.vm_options import CommandResult
from bootsmith.vm.agent import Agent
from bootsmith.vm.execution import ExecResult

if TYPE_CHECKING:
    from bootsmith.vm.execution import RunningCommand

Sink: TypeAlias = Callable[[bytes], object]


class Forwarded(Protocol):
    """``127.0.0.1:host_port`` leads to ``guest_port`` of the guest's loopback until ``close``.

    The end of a ``with`` block closes it, too.
    """

    guest_port: int
    host_port: int

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Guest(ABC):
    """Commands and files in a guest.  Usable from many threads."""

    @abstractmethod
    def _agent(self) -> Agent:
        """The guest's agent.  Raises ``VMError`` when the machine does not run."""

    def exec(
        self,
        command: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        stdin: bytes | str | Iterable[bytes] | None = None,
        on_stdout: Sink | None = None,
        on_stderr: Sink | None = None,
        on_start: Callable[[RunningCommand], object] | None = None,
        timeout_s: float | None = None,
    ) -> CommandResult:
        """Run a command: a text by ``/bin/sh -lc``, a sequence as its arguments.

        With ``on_stdout`` and ``on_stderr`` output is handed over as it comes and is not
        collected.  ``on_start`` is given the running command, to send it signals.  Raises
        ``AgentError`` when the guest refuses, ``VMError`` when the machine does not run or the
        command has not ended after ``timeout_s``; it is then killed.
        """
        result = self._agent().exec(
            command,
            env=env,
            cwd=cwd,
            stdin=stdin.encode() if isinstance(stdin, str) else stdin,
            on_stdout=on_stdout,
            on_stderr=on_stderr,
            on_start=on_start,
            timeout_s=timeout_s,
        )
        return _told(result)

    def shell(
        self,
        command: str | Sequence[str] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> CommandResult:
        """Hand this process's terminal to a command in the guest, by default a login shell.

        Returns when it ends; the terminal is then as it was before.  Raises ``HostError``
        without a terminal, ``AgentError`` when the guest is gone.
        """
        from bootsmith.host.terminal import Terminal
        from bootsmith.vm.shell import LOGIN_SHELL, run_on_terminal

        agent = self._agent()
        with Terminal() as screen:
            return _told(run_on_terminal(agent, screen, command or LOGIN_SHELL, env=env, cwd=cwd))

    @abstractmethod
    def forward(self, guest_port: int, *, host_port: int = 0) -> Forwarded:
        """Lead a port of this machine's loopback to a port of the guest's.

        Its number is ``host_port`` of the result, by default one that is free; it is free again
        after ``close`` there, or on the guest itself.  Raises ``HostError`` when it is taken,
        ``ConfigError`` for numbers that are no ports.
        """

    def read_file(
        self, path: str, *, most_bytes: int | None = None, timeout_s: float | None = None
    ) -> bytes:
        """The content of a file.  Raises ``AgentError`` when it cannot be read, or has more than
        ``most_bytes``."""
        return self._agent().read_whole(path, most_bytes=most_bytes, timeout_s=timeout_s)

    def write_file(
        self, path: str, data: bytes | str | Iterable[bytes], *, timeout_s: float | None = None
    ) -> None:
        """Make or replace a file.  Raises ``AgentError`` when it cannot be written."""
        content = data.encode() if isinstance(data, str) else data
        self._agent().write_file(path, content, timeout_s=timeout_s)

    def delete_file(
        self,
        path: str,
        *,
        recursive: bool = False,
        missing_ok: bool = False,
        timeout_s: float | None = None,
    ) -> None:
        """Delete a file, or with ``recursive`` a folder with all it holds.

        Raises ``AgentError`` when that is impossible.
        """
        self._agent().delete_file(
            path, recursive=recursive, missing_ok=missing_ok, timeout_s=timeout_s
        )

    def upload(self, source: str | Path, target: str, *, timeout_s: float | None = None) -> None:
        """Copy a file or folder of this machine to the path ``target`` in the guest, with modes,
        times and symbolic links; all of it belongs to the guest's root.

        A folder that is there already keeps what else it holds.  Raises ``HostError`` for what
        cannot be read, ``AgentError`` when the guest cannot take it.
        """
        from bootsmith.vm.transfer import upload

        upload(self._agent(), user_path(source), target, timeout_s=timeout_s)

    def download(self, source: str, target: str | Path, *, timeout_s: float | None = None) -> None:
        """Copy a file or folder of the guest to the path ``target`` on this machine, likewise.

        Whatever the guest sends, nothing is written outside of ``target``.  Raises
        ``AgentError`` for what it cannot send, ``HostError`` for what cannot be written.
        """
        from bootsmith.vm.transfer import download

        download(self._agent(), source, user_path(target), timeout_s=timeout_s)


def _told(result: ExecResult) -> CommandResult:
    return CommandResult(
        exit_code=result.exit_code,
        stdout_bytes=result.stdout,
        stderr_bytes=result.stderr,
        signal=result.signal,
    )
