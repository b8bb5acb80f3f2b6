"""What a keeper is told arrives as it was meant, and is data and nothing else."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from bootsmith.errors import AgentError
from bootsmith.host.channel import Channel
from bootsmith.model.arch import Arch
from bootsmith.vm.frame import Message, encode_frame
from bootsmith.vm.kept.order import Order, messages_from, receive_order, send_order
from bootsmith.vm.kept.plain_values import Plain, as_plain, from_plain
from bootsmith.vm.kept.record import Record
from bootsmith.vm.machine import (
    Accelerator,
    DiskFormat,
    DiskMode,
    Drive,
    MachineSpec,
    MachineType,
    Network,
    Share,
)
from bootsmith.vm.runner import StartOptions

SPEC = MachineSpec(
    arch=Arch.AARCH64,
    kernel=Path("/images/a b/vmlinuz"),
    initramfs=None,
    cmdline='console=ttyAMA0 words="of all kinds" ünïcode',
    machine=MachineType.VIRT,
    accelerator=Accelerator.TCG,
    cpus=3,
    memory_mib=2048,
    drives=(
        Drive(path=Path("/images/rootfs"), mode=DiskMode.MEMORY),
        Drive(
            path=Path("/images/not-\udcff-utf8"),
            format=DiskFormat.QCOW2,
            size_bytes=1 << 40,
            checkpoint=Path("/saved"),
        ),
    ),
    network=Network.USER,
    shares=(Share(host_folder=Path("/home"), guest_folder="/work", readonly=True),),
    ports=("virtio-port",),
)
RECORD = Record(id="0a11aa00", name=None, image="./x", arch="aarch64", memory_mib=1, started_s=2)
ORDER = Order.of(
    RECORD,
    SPEC,
    StartOptions(accelerator=Accelerator.TCG, boot_timeout_s=240, console_log=Path("/log")),
    build_id="7b6ed0c0-7e7f-5c2a-8b2d-0bf3d5be9d52",
)


def received(text: bytes) -> Order:
    """What a keeper makes of ``text``."""
    ours, theirs = Channel.pair()
    sender = threading.Thread(
        target=lambda: ours.send(encode_frame(Message("order", 0, {"order": text})))
    )
    sender.start()
    try:
        return receive_order(messages_from(theirs))
    finally:
        sender.join()
        ours.close()
        theirs.close()


@pytest.mark.parametrize(
    "order",
    [
        ORDER,
        replace(ORDER, build_id=None, accelerator=None, boot_timeout_s=None, console_log=None),
        replace(ORDER, boot_timeout_s=0.5, spec=replace(SPEC, drives=(), shares=(), cpus=None)),
        replace(ORDER, record=replace(RECORD, name="web")),
    ],
)
def test_an_order_arrives_as_it_was_given(order: Order) -> None:
    ours, theirs = Channel.pair()
    try:
        send_order(ours, order)
        assert receive_order(messages_from(theirs)) == order
    finally:
        ours.close()
        theirs.close()


def test_whoever_ordered_may_have_gone() -> None:
    ours, theirs = Channel.pair()
    ours.close()
    with pytest.raises(AgentError, match="is gone"):
        receive_order(messages_from(theirs))
    theirs.close()


def changed(*path: str | int, value: Plain) -> bytes:
    """The order's text with the value at ``path`` replaced."""
    text = json.loads(json.dumps(as_plain(ORDER)))
    inner = text
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return json.dumps(text).encode()


@pytest.mark.parametrize(
    "text",
    [
        b"[]",
        b"null",
        b"{}",
        changed("more", value=1),
        changed("spec", value=None),
        changed("spec", "arch", value="vax"),
        changed("spec", "memory_mib", value="1024"),
        changed("spec", "memory_mib", value=True),
        changed("spec", "drives", value={}),
        changed("spec", "drives", 0, "path", value=7),
        changed("spec", "drives", 0, "mode", value=["cow"]),
        changed("spec", "ports", 0, value=None),
        changed("boot_timeout_s", value="soon"),
        changed("record", "state", value="asleep"),
    ],
)
def test_what_is_no_order(text: bytes) -> None:
    with pytest.raises(AgentError, match="was expected") as refused:
        received(text)
    assert refused.value.code == "protocol"


def test_what_has_no_plain_form() -> None:
    with pytest.raises(TypeError, match="plain form"):
        as_plain(object())
    with pytest.raises(TypeError, match="plain form"):
        as_plain(b"bytes")
    assert from_plain(Record, as_plain(RECORD)) == RECORD
