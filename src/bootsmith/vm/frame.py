"""Frames between host and guest.

On every virtio-serial port a frame is a big-endian ``u32`` length and so many bytes of CBOR, at
most 4 MiB, which hold the envelope ``{v: 1, t: text, id: u32, p: map}``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from bootsmith.errors import AgentError
from bootsmith.vm.cbor import Value, decode, encode

MAX_FRAME_BYTES = 4 << 20
VERSION = 1

_HEADER_BYTES = 4
_ID_MAX = 0xFFFFFFFF

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Message:
    """One envelope; ``kind`` is its ``t``, ``payload`` its ``p``.

    ``size_bytes`` is what it took on the wire, 0 for one that has not been there.
    """

    kind: str
    id: int
    payload: Mapping[str, Value]
    size_bytes: int = field(default=0, compare=False)

    def text(self, key: str) -> str:
        """The text field ``key``.  Raises ``AgentError`` when it is missing or no text."""
        return self._field(key, str)

    def data(self, key: str) -> bytes:
        """The bytes field ``key``; else ``AgentError``."""
        return self._field(key, bytes)

    def number(self, key: str) -> int:
        """The field ``key`` as an integer that is not negative; else ``AgentError``."""
        value = self._field(key, int)
        if isinstance(value, bool) or value < 0:
            raise AgentError(f"the guest's {self.kind} says {key} = {value!r}")
        return value

    def optional_number(self, key: str) -> int | None:
        """The field ``key`` as an integer, ``None`` when it is missing or null."""
        return None if self.payload.get(key) is None else self.number(key)

    def _field(self, key: str, kind: type[_T]) -> _T:
        value = self.payload.get(key)
        if not isinstance(value, kind):
            raise AgentError(f"the guest's {self.kind} has no {kind.__name__} {key!r}")
        return value


def encode_frame(message: Message) -> bytes:
    """The bytes on the wire.  Raises ``AgentError`` when they exceed the limit of a frame."""
    body = encode({"v": VERSION, "t": message.kind, "id": message.id, "p": dict(message.payload)})
    if len(body) > MAX_FRAME_BYTES:
        raise AgentError(
            f"a {message.kind} of {len(body)} bytes exceeds a frame ({MAX_FRAME_BYTES} bytes)",
            code="invalid_request",
            hint="send large data through stdin or a file",
        )
    return len(body).to_bytes(_HEADER_BYTES, "big") + body


class FrameDecoder:
    """Turns the bytes that arrive, cut anywhere, into messages."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes | memoryview) -> Iterator[Message]:
        """The messages that ``data`` completes.

        Raises ``AgentError`` for a frame that is too long or not an envelope; the stream is
        useless from there on.
        """
        self._pending += data
        at = 0
        while len(self._pending) - at >= _HEADER_BYTES:
            size = int.from_bytes(self._pending[at : at + _HEADER_BYTES], "big")
            if size > MAX_FRAME_BYTES:
                raise AgentError(f"the guest announced a frame of {size} bytes")
            end = at + _HEADER_BYTES + size
            if end > len(self._pending):
                break
            yield parse_message(bytes(memoryview(self._pending)[at + _HEADER_BYTES : end]))
            at = end
        del self._pending[:at]

    def finish(self) -> None:
        """The stream has ended.  Raises ``AgentError`` when it did so inside a frame."""
        if self._pending:
            raise AgentError(f"the guest's stream ended inside a frame, {len(self._pending)} bytes")


def parse_message(body: bytes) -> Message:
    """The envelope in the CBOR ``body``.  Raises ``AgentError`` for anything else."""
    match decode(body):
        case {"v": int(version), "t": str(kind), "id": int(number), "p": dict(payload)}:
            pass
        case _:
            raise AgentError("the guest sent a frame that is no envelope")
    if version != VERSION or isinstance(version, bool):
        raise AgentError(f"the guest speaks version {version!r} of the protocol, not {VERSION}")
    if isinstance(number, bool) or not 0 <= number <= _ID_MAX:
        raise AgentError(f"the guest sent the id {number!r}")
    return Message(kind, number, payload, len(body))
