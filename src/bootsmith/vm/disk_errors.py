"""Whether QEMU could write all that a guest wrote.

A guest is told of a failed write, but what it has in memory is written late, and nobody may ask
again: a command can end well whose files are not on the disk, because this machine's is full.
So before such a disk is kept, QEMU is asked (docs/interop/qmp-spec.txt and qapi/block-core.json).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bootsmith.errors import HostError, VMError
from bootsmith.host.channel import Channel

_ASK = b'{"execute": "qmp_capabilities"}\n{"execute": "query-blockstats"}\n'
_FAILURES = ("failed_wr_operations", "failed_flush_operations")
_EVENT = "BLOCK_IO_ERROR"
_MOST_BYTES = 4 << 20


def ask(qmp: Channel) -> None:
    """Have QEMU say what has failed until now, and from now on what fails.

    Raises ``VMError`` when it is gone.
    """
    try:
        qmp.send(_ASK)
    except HostError as error:
        raise VMError(f"QEMU cannot be asked about its disks: {error}") from error


def require_none(qmp: Channel) -> None:
    """Read what QEMU, which has ended, has said since it was asked.

    Raises ``VMError`` when a write of the guest failed.
    """
    said = bytearray()
    while len(said) < _MOST_BYTES and (data := qmp.receive()):
        said += data
    if any(_tells_of_failure(message) for message in _messages(bytes(said))):
        raise VMError(
            "this machine could not write all that the guest wrote: nothing is kept",
            hint="make room where TMPDIR leads to, and do it again",
        )


def _messages(said: bytes) -> Iterator[dict[str, Any]]:
    for line in said.splitlines():
        try:
            message = json.loads(line)
        except ValueError:
            continue  # cut off at the end
        if isinstance(message, dict):
            yield message


def _tells_of_failure(message: dict[str, Any]) -> bool:
    if message.get("event") == _EVENT:
        return bool(message.get("data", {}).get("operation") != "read")
    found = message.get("return")
    return isinstance(found, list) and any(
        drive.get("stats", {}).get(name, 0) for drive in found for name in _FAILURES
    )
