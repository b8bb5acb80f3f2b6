"""What bootsmith and the process that keeps a sandbox say to each other.

Messages go over a socket pair between two processes of one program: ``pickle`` is safe there,
because nothing that runs inside the sandbox ever holds an end of it.
"""

from __future__ import annotations

import pickle
import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from bootsmith.host.sandbox.inode_record import InodeRecord
from bootsmith.host.sandbox.mounts import View

_LENGTH = struct.Struct(">I")


class Command(NamedTuple):
    """A program to run inside, with its whole environment."""

    argv: Sequence[str]
    env: dict[str, str]
    cwd: str


class Plan(NamedTuple):
    """Everything a keeper needs to know; sent to it first.

    ``kind`` is that of ``host.namespaces.NamespaceSupport``.  ``folder`` is an empty folder for
    the tree, in a work folder that is removed with it; it is put in memory, of which it may
    take ``memory_bytes``, unless that is 0.  ``ignored`` are paths whose files are there only
    for the run, ``excluded`` directories that are not captured, ``leftovers`` the work folders
    of sandboxes that were killed.
    """

    kind: str
    folder: bytes
    memory_bytes: int
    network: bool
    host_name: bytes
    records: Sequence[InodeRecord]
    sources: Sequence[bytes]
    view: View
    ignored: Sequence[bytes]
    excluded: Sequence[bytes]
    commands: Sequence[Command]
    leftovers: Sequence[bytes] = ()


class WantsMapping(NamedTuple):
    """The keeper is in its user namespace and waits for ids to be mapped into it."""

    pid: int


class Mapped(NamedTuple):
    """The ids are mapped."""


class SetUp(NamedTuple):
    """The namespaces and mounts are as they should be; commands begin now."""


class SetUpFailed(NamedTuple):
    """The kernel refused something before any command ran."""

    stage: str
    errno: int
    reason: str


class Output(NamedTuple):
    """What command number ``command`` printed, as it came."""

    command: int
    data: bytes


class CannotStart(NamedTuple):
    """The program could not be executed; ``errno`` says why."""

    command: int
    errno: int
    reason: str


class Ended(NamedTuple):
    """A command ended; ``exit_code`` is 128 + n when signal n ended it."""

    command: int
    exit_code: int


class Captured(NamedTuple):
    """All commands ended well, and this is what they changed."""

    changed: Sequence[InodeRecord]
    removed: Sequence[bytes]


Message: TypeAlias = (
    "Plan | WantsMapping | Mapped | SetUp | SetUpFailed | Output | CannotStart | Ended | Captured"
)


class Disconnected(Exception):
    """The other side is gone."""


def send(channel: socket.socket, message: Message) -> None:
    """Raises ``Disconnected``."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    try:
        channel.sendall(_LENGTH.pack(len(data)))
        channel.sendall(data)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise Disconnected from error


def receive(channel: socket.socket) -> Message:
    """The next message.  Raises ``Disconnected``."""
    (size,) = _LENGTH.unpack(_exactly(channel, _LENGTH.size))
    message: Message = pickle.loads(_exactly(channel, size))  # noqa: S301  (see above)
    return message


def _exactly(channel: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        try:
            count = channel.recv_into(view)
        except ConnectionResetError as error:
            raise Disconnected from error
        if not count:
            raise Disconnected
        view = view[count:]
    return data
