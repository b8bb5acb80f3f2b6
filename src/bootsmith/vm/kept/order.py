"""What a keeper is told by the process that starts it, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bootsmith.errors import AgentError, BootsmithError
from bootsmith.host.channel import Channel
from bootsmith.model.reporter import Reporter, Silent
from bootsmith.vm.cbor import Value
from bootsmith.vm.frame import FrameDecoder, Message, encode_frame
from bootsmith.vm.kept.failure import failure_of, failure_payload
from bootsmith.vm.kept.plain_values import as_plain, from_plain
from bootsmith.vm.kept.record import Record
from bootsmith.vm.machine import Accelerator, MachineSpec
from bootsmith.vm.runner import StartOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Start ``spec`` and keep it.

    ``build_id`` is that of its image, ``None`` where no checkpoint can be made.  The rest is what
    ``StartOptions`` says and another process can be told.
    """

    record: Record
    spec: MachineSpec
    build_id: str | None
    accelerator: Accelerator | None
    boot_timeout_s: float | None
    first_output_timeout_s: float
    console_log: Path | None
    state_folder: Path | None

    @classmethod
    def of(
        cls, record: Record, spec: MachineSpec, options: StartOptions, *, build_id: str | None
    ) -> Self:
        return cls(
            record=record,
            spec=spec,
            build_id=build_id,
            accelerator=options.accelerator,
            boot_timeout_s=options.boot_timeout_s,
            first_output_timeout_s=options.first_output_timeout_s,
            console_log=options.console_log,
            state_folder=options.state_folder,
        )

    def options(
        self,
        *,
        reporter: Reporter,
        on_console: Callable[[bytes], object],
        is_wanted: Callable[[], bool],
    ) -> StartOptions:
        """How to start it, with what only the process that does so can know."""
        return StartOptions(
            accelerator=self.accelerator,
            boot_timeout_s=self.boot_timeout_s,
            first_output_timeout_s=self.first_output_timeout_s,
            console_log=self.console_log,
            on_console=on_console,
            state_folder=self.state_folder,
            is_wanted=is_wanted,
            reporter=reporter,
        )


def send_order(channel: Channel, order: Order) -> None:
    """Tell a keeper what to keep.  Raises ``HostError`` when it is gone."""
    text = json.dumps(as_plain(order)).encode()
    channel.send(encode_frame(Message("order", 0, {"order": text})))


def receive_order(messages: Iterator[Message]) -> Order:
    """What the process that started this one wants.  Raises ``AgentError``."""
    for message in messages:
        return from_plain(Order, json.loads(message.data("order")))
    raise AgentError("the process that wanted a keeper is gone", code="disconnected")


def messages_from(channel: Channel) -> Iterator[Message]:
    """What arrives, to the end of the stream."""
    decoder = FrameDecoder()
    while data := channel.receive():
        yield from decoder.feed(data)


class Answers(Silent):
    """Tells the process that started the keeper what it would like to know, while it is there."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def warning(self, text: str) -> None:
        self._say("warning", {"text": text})

    def detail(self, text: str) -> None:
        self._say("detail", {"text": text})

    def ready(self) -> None:
        """The machine runs."""
        self._say("ready", {})

    def failed(self, error: BootsmithError) -> None:
        """There will be no machine."""
        self._say("failed", failure_payload(error))

    def _say(self, kind: str, payload: dict[str, Value]) -> None:
        self._channel.send(encode_frame(Message(kind, 0, payload)))


def await_ready(
    messages: Iterator[Message],
    *,
    warning: Callable[[str], None],
    detail: Callable[[str], None],
) -> bool:
    """Whether the keeper says that its machine runs; false when it says nothing any more.

    Raises what the machine failed with.
    """
    for message in messages:
        match message.kind:
            case "warning":
                warning(message.text("text"))
            case "detail":
                detail(message.text("text"))
            case "failed":
                raise failure_of(message)
            case _:
                return True
    return False
