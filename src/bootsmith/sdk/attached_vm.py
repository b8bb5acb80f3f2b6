"""``AttachedVM``: a machine that another process keeps, which many may use at once."""

from __future__ import annotations

from typing import Self

from bootsmith.sdk.guest import Guest
from bootsmith.vm.agent import Agent
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

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def name(self) -> str | None:
        return self.record.name

    def forward(self, guest_port: int, *, host_port: int = 0) -> int:
        """Lead a port of this machine's loopback to a port of the guest's, until ``close``.

        Returns its number.  Raises ``AgentError`` when the port is taken.
        """
        return self.machine.forward(guest_port, host_port=host_port)

    @property
    def console(self) -> str:
        """What the guest has printed on its console."""
        return b"".join(self.machine.log()).decode("utf-8", "replace")

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
        self.machine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _agent(self) -> Agent:
        return self.machine.agent
