"""What a keeper is told by the process that starts it, and what it answers."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bootsmith import errors
from bootsmith.errors import AgentError, BootsmithError, VMError
from bootsmith.host.channel import Channel
from bootsmith.model.reporter import Silent
from bootsmith.vm.cbor import Value
from bootsmith.vm.frame import FrameDecoder, Message, encode_frame
from bootsmith.vm.kept.record import Record
from bootsmith.vm.machine import MachineSpec
from bootsmith.vm.runner import StartOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Start ``spec`` and keep it."""

    record: Record
    spec: MachineSpec
    options: StartOptions


def send_order(channel: Channel, order: Order) -> None:
    """Tell a keeper what to keep.  Raises ``HostError`` when it is gone."""
    channel.send(encode_frame(Message("order", 0, {"order": pickle.dumps(order)})))


def receive_order(messages: Iterator[Message]) -> Order:
    """What the process that started this one wants.  Raises ``AgentError``."""
    for message in messages:
        # It comes from the process that started this one, over a socket that has no name.
        order = pickle.loads(message.data("order"))  # noqa: S301
        assert isinstance(order, Order)
        return order
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
        self._say("failed", _payload(error))

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
                raise _error(message)
            case _:
                return True
    return False


def _payload(error: BootsmithError) -> dict[str, Value]:
    attributes: dict[str, Value] = {}
    for name, value in vars(error).items():
        if isinstance(value, tuple):
            attributes[name] = [str(item) for item in value]
        elif value is None or isinstance(value, (bool, int, str)):
            attributes[name] = value
    return {"type": type(error).__name__, "message": str(error), "attributes": attributes}


def _error(message: Message) -> BootsmithError:
    kind = getattr(errors, message.text("type"), VMError)
    assert issubclass(kind, BootsmithError)
    attributes = message.payload.get("attributes")
    assert isinstance(attributes, dict)
    # Not by its constructor, each of which wants something else: it was constructed once.
    error: BootsmithError = kind.__new__(kind, message.text("message"))
    for name, value in attributes.items():
        setattr(error, name, tuple(value) if isinstance(value, list) else value)
    return error
