"""Serves host folders to the guest's ``sandboxfs`` (CONTRACTS §3, ``virtio-fs``).

The guest asks, one request at a time, and is believed nothing: whatever is wrong with a request
is answered by an error number.  Only a frame that cannot be read ends the line.
"""

from __future__ import annotations

import threading

from bootsmith.errors import AgentError, HostError
from bootsmith.host.channel import Channel
from bootsmith.host.shared_folder import ShareRefused
from bootsmith.vm.cbor import Value
from bootsmith.vm.frame import FrameDecoder, Message, encode_frame
from bootsmith.vm.shares.operations import ShareOperations
from bootsmith.vm.shares.tree import ShareTree

_NEGATIVE_TTL_MS = 250


class ShareServer:
    """Answers on ``channel`` from ``tree``, which is its own to close, until ``close``."""

    def __init__(self, channel: Channel, tree: ShareTree) -> None:
        self._channel = channel
        self._tree = tree
        self._operations = ShareOperations(self._tree)
        self._server = threading.Thread(target=self._serve, name="bootsmith-share", daemon=True)
        self._server.start()

    def close(self) -> None:
        """Stop serving and let go of every file.  The channel stays the caller's to close."""
        self._channel.hang_up()
        self._server.join()
        self._operations.close()
        self._tree.close()

    def _serve(self) -> None:
        decoder = FrameDecoder()
        try:
            while data := self._channel.receive():
                for message in decoder.feed(data):
                    self._channel.send(encode_frame(self._answer(message)))
        except (AgentError, HostError):
            return  # a guest that breaks the protocol, or is gone, gets no more answers
        finally:
            self._channel.hang_up()  # and does not wait for any

    def _answer(self, request: Message) -> Message:
        operation = request.payload.get("op")
        answer: dict[str, Value] = {"op": operation, "err": 0}
        try:
            if request.kind != "fs_request":
                operation = None
            answer["res"] = self._operations.run(operation, request.payload.get("req"))
        except ShareRefused as refusal:
            answer |= {"err": refusal.number, "message": str(refusal)}
            if operation == "lookup":
                answer["res"] = {"entry_ttl_ms": _NEGATIVE_TTL_MS}
        return Message("fs_response", request.id, answer)
