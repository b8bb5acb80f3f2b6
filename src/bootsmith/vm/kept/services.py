"""What a keeper does for its clients itself."""

from __future__ import annotations

from collections.abc import Mapping

from bootsmith.host.rolling_log import RollingLog
from bootsmith.vm.kept.machine import (
    FORWARD_DONE,
    FORWARD_REQUEST,
    LOG_DATA,
    LOG_DONE,
    LOG_REQUEST,
)
from bootsmith.vm.kept.relay import Conversation, Service
from bootsmith.vm.running import RunningMachine


def log_service(log: RollingLog) -> Mapping[str, Service]:
    """Passes on what the guest prints on its console."""

    def tell(conversation: Conversation) -> None:
        follow = conversation.request.payload.get("follow") is True
        conversation.when_over(log.wake)
        position, data = log.read(0)
        while data:
            conversation.send(LOG_DATA, {"data": data})
            position += len(data)
            if follow:
                position, data = log.follow(position, is_wanted=lambda: not conversation.is_over)
            else:
                position, data = log.read(position)
        conversation.send(LOG_DONE, {})

    return {LOG_REQUEST: tell}


def forward_service(machine: RunningMachine) -> Mapping[str, Service]:
    """Leads ports of this machine to the guest, for as long as the client stays."""

    def open_forward(conversation: Conversation) -> None:
        request = conversation.request
        forward = machine.forward(
            request.number("guest_port"), host_port=request.number("host_port")
        )
        conversation.when_over(forward.close)
        conversation.send(FORWARD_DONE, {"host_port": forward.host_port})

    return {FORWARD_REQUEST: open_forward}
