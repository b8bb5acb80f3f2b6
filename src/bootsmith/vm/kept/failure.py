"""Errors on their way from a keeper to the process that has to tell them."""

from __future__ import annotations

from bootsmith import errors
from bootsmith.errors import BootsmithError, VMError
from bootsmith.vm.cbor import Value
from bootsmith.vm.frame import Message


def failure_payload(error: BootsmithError) -> dict[str, Value]:
    """``error`` as the payload of a message: what it says, and all the data it carries."""
    attributes: dict[str, Value] = {}
    for name, value in vars(error).items():
        if isinstance(value, tuple):
            attributes[name] = [str(item) for item in value]
        elif value is None or isinstance(value, (bool, int, str)):
            attributes[name] = value
    return {"type": type(error).__name__, "message": str(error), "attributes": attributes}


def failure_of(message: Message) -> BootsmithError:
    """The error that ``failure_payload`` told of."""
    kind = getattr(errors, message.text("type"), VMError)
    assert issubclass(kind, BootsmithError)
    attributes = message.payload.get("attributes")
    assert isinstance(attributes, dict)
    # Not by its constructor, each of which wants something else: it was constructed once.
    error: BootsmithError = kind.__new__(kind, message.text("message"))
    for name, value in attributes.items():
        setattr(error, name, tuple(value) if isinstance(value, list) else value)
    return error
