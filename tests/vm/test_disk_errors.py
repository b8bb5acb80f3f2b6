from __future__ import annotations

import json
from typing import Any

import pytest

from bootsmith.errors import VMError
from bootsmith.host.channel import Channel
from bootsmith.vm.disk_errors import ask, require_none

GREETING = {"QMP": {"version": {"qemu": {"major": 7}}, "capabilities": []}}


def stats(**failed: int) -> dict[str, Any]:
    return {"return": [{"device": "drive0", "stats": {"wr_operations": 9, **failed}}]}


def failure(operation: str) -> dict[str, Any]:
    return {"event": "BLOCK_IO_ERROR", "data": {"operation": operation, "action": "report"}}


@pytest.mark.parametrize(
    ("said", "good"),
    [
        ([], True),
        ([GREETING, {"return": {}}, stats(failed_wr_operations=0)], True),
        ([GREETING, stats(failed_wr_operations=1)], False),
        ([GREETING, stats(failed_flush_operations=2)], False),
        ([GREETING, stats(), {"event": "SHUTDOWN"}], True),
        ([GREETING, stats(), failure("write")], False),
        ([GREETING, stats(), failure("read")], True),
        ([GREETING, {"error": {"class": "CommandNotFound"}}], True),
    ],
)
def test_what_qemu_says(said: list[dict[str, Any]], good: bool) -> None:
    ours, qemu = Channel.pair()
    ask(ours)
    words = qemu.receive().decode().splitlines()
    assert [json.loads(word)["execute"] for word in words] == [
        "qmp_capabilities",
        "query-blockstats",
    ]
    qemu.send(b"".join(json.dumps(one).encode() + b"\r\n" for one in said), b'{"cut')
    qemu.close()
    if good:
        require_none(ours)
    else:
        with pytest.raises(VMError, match="nothing is kept"):
            require_none(ours)
    ours.close()


def test_a_machine_that_is_gone() -> None:
    ours, qemu = Channel.pair()
    qemu.close()
    with pytest.raises(VMError, match="cannot be asked"):
        ask(ours)
    ours.close()
