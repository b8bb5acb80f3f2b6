"""``AttachedVM``: a machine that another process keeps, which many may use at once."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from bootsmith.errors import AgentError, HostError
from bootsmith.host.files import user_path
from bootsmith.sdk.guest import Guest
from bootsmith.sdk.option_checks import require_ports
from bootsmith.vm.agent import Agent
from bootsmith.vm.kept.machine import KeptMachine
from bootsmith.vm.kept.machines import Machines
from bootsmith.vm.kept.record import Record


class AttachedVM(Guest):
    """A machine that runs on by itself; made by ``VM.detach`` and ``VM.attach``.

    ::

        with VM.attach("web") as vm:
            print(vm.exec("uptime").stdout)

    Leaving the block, or ``close``, ends only what was started from here.  Raises ``VMError``
    when the machine does not run or cannot be reached.
    """

    def __init__(self, machines: Machines, record: Record) -> None:
        self.record = record
        self.machine = machines.connect(record)
        self._machines = machines
        self._forwards: list[AttachedForward] = []

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def name(self) -> str | None:
        return self.record.name

    def forward(self, guest_port: int, *, host_port: int = 0) -> AttachedForward:
        require_ports(guest_port, host_port)
        # A connection of its own: the keeper ends the forward with it.
        machine = self._machines.connect(self.record)
        try:
            made = AttachedForward(machine, guest_port=guest_port, host_port=host_port)
        except BaseException:
            machine.close()
            raise
        self._forwards.append(made)
        return made

    @property
    def console(self) -> str:
        """What the guest has printed on its console."""
        return b"".join(self.machine.log()).decode("utf-8", "replace")

    def checkpoint(self, path: str | Path) -> None:
        """Stop, for everybody, and keep what has changed on the disk in the file ``path``; see
        ``VM.resume``.

        Appears whole or not at all, and replaces what was there.  Raises ``VMError`` when the
        machine's disk keeps no changes, ``HostError`` when the file cannot be written: when that
        is seen before the machine is stopped, it runs on.
        """
        self.machine.checkpoint(user_path(path))
        self.close()

    def stop(self, *, timeout_s: float = 10.0) -> None:
        """Have the guest write everything to its disks and power off, for everybody."""
        self.machine.stop(timeout_s=timeout_s)
        self.close()

    def kill(self) -> None:
        """Pull the plug, for everybody.  What the guest has not written yet is lost."""
        self.machine.kill()
        self.close()

    def close(self) -> None:
        """Let go of it; it runs on.  A second call does nothing."""
        for forward in self._forwards:
            forward.close()
        self.machine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<AttachedVM {self.name or self.id!r}>"

    def _agent(self) -> Agent:
        return self.machine.agent


class AttachedForward:
    """``127.0.0.1:host_port`` leads to ``guest_port`` of the guest's loopback until ``close``."""

    def __init__(self, machine: KeptMachine, *, guest_port: int, host_port: int) -> None:
        self._machine = machine
        self.guest_port = guest_port
        try:
            self.host_port = machine.forward(guest_port, host_port=host_port)
        except AgentError as error:
            raise HostError(str(error)) from error

    def close(self) -> None:
        """Free the port and end its connections.  A second call does nothing."""
        self._machine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
