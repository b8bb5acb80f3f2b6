"""Asking a guest to write its disks and turn itself off."""

from __future__ import annotations

from bootsmith.errors import VMError
from bootsmith.host.clock import Deadline
from bootsmith.vm.agent import Agent

# For a guest with another agent than ours.  "o" needs no help of the guest's programs, whatever
# its init is.
_POWER_OFF = ("/bin/sh", "-c", "sync; echo o > /proc/sysrq-trigger; sleep 60")


def power_off(agent: Agent, *, timeout_s: float) -> None:
    """Ask by our agent's own request; one that does not know it, by a command.

    The guest will be off soon, or the line to it ends meanwhile: that raises ``AgentError``.
    ``VMError``: it has not answered.
    """
    deadline = Deadline.after(timeout_s)
    try:
        agent.shut_down(timeout_s=timeout_s / 2)
    except VMError:
        # Another agent refuses the request, or takes no notice of it.
        if agent.line.failure is not None:
            raise
        agent.exec(_POWER_OFF, most_bytes=1 << 16, timeout_s=deadline.remaining_s())
