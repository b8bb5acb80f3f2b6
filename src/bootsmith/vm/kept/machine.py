"""A machine that another process owns."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from bootsmith.errors import AgentError, VMError
from bootsmith.host.channel import Channel
from bootsmith.host.clock import Deadline
from bootsmith.vm.agent import Agent
from bootsmith.vm.kept.failure import failure_of
from bootsmith.vm.line import Exchange

STOP_REQUEST = "machine_stop_request"
LOG_REQUEST, LOG_DATA, LOG_DONE = "machine_log_request", "machine_log_data", "machine_log_done"
FORWARD_REQUEST, FORWARD_DONE = "machine_forward_request", "machine_forward_done"
CHECKPOINT_REQUEST = "machine_checkpoint_request"
CHECKPOINT_DONE, CHECKPOINT_FAILED = "machine_checkpoint_done", "machine_checkpoint_failed"

_GREETING_S = 10.0
_AFTER_STOP_S = 20.0


class KeptMachine:
    """The way to a machine through its keeper.  ``agent`` is the guest's, as if it were near.

    What is under way for this client ends with ``close``; the machine runs on.
    Raises ``VMError`` when the keeper does not answer.
    """

    def __init__(self, channel: Channel) -> None:
        self.agent = Agent(channel)
        try:
            is_there = self.agent.line.wait_ready(_GREETING_S)
        except BaseException:
            self.agent.close()
            raise
        if not is_there:
            self.agent.close()
            raise VMError("its keeper does not answer")

    def stop(self, *, timeout_s: float = 10.0) -> None:
        """Let the guest power off, pull the plug if it does not, and wait until it has ended."""
        self._end(timeout_s=timeout_s)

    def kill(self) -> None:
        """Pull the plug, and wait until the machine has ended."""
        self._end(timeout_s=0)

    def checkpoint(self, target: Path) -> None:
        """Stop, keep what has changed on the disk in the file ``target``, an absolute path, and
        wait until the machine has ended.

        Raises what ``RunningMachine.checkpoint`` does, ``AgentError`` when the keeper is gone.
        """
        exchange = self.agent.line.open()
        try:
            exchange.send(CHECKPOINT_REQUEST, {"path": os.fsencode(target)})
            answer = exchange.receive(Deadline.after(None))
            if answer.kind == CHECKPOINT_FAILED:
                raise failure_of(answer)
            self._await_end(exchange, timeout_s=_AFTER_STOP_S)
        finally:
            exchange.close()

    def log(self, *, follow: bool = False) -> Iterator[bytes]:
        """What the guest has printed on its console; with ``follow`` on and on to its end."""
        exchange = self.agent.line.open()
        try:
            exchange.send(LOG_REQUEST, {"follow": follow})
            forever = Deadline.after(None)
            while (message := exchange.receive(forever)).kind == LOG_DATA:
                yield message.data("data")
        finally:
            exchange.close()

    def forward(self, guest_port: int, *, host_port: int = 0) -> int:
        """Lead a port of this machine's loopback to ``guest_port`` until ``close``.

        Returns the port of this machine.  Raises ``AgentError`` when ``host_port`` is taken.
        """
        exchange = self.agent.line.open()
        try:
            exchange.send(FORWARD_REQUEST, {"guest_port": guest_port, "host_port": host_port})
            return exchange.receive(Deadline.after(_GREETING_S)).number("host_port")
        finally:
            exchange.close()

    def close(self) -> None:
        """Hang up.  A second call does nothing."""
        self.agent.close()

    def _end(self, *, timeout_s: float) -> None:
        exchange = self.agent.line.open()
        try:
            exchange.send(STOP_REQUEST, {"timeout_ms": round(timeout_s * 1000)})
            self._await_end(exchange, timeout_s=timeout_s + _AFTER_STOP_S)
        finally:
            exchange.close()

    def _await_end(self, exchange: Exchange, *, timeout_s: float) -> None:
        try:
            exchange.receive(Deadline.after(timeout_s))
        except AgentError as error:
            # There is no other answer than the end of the line.
            if error.code != "disconnected":
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
