"""What every Linux system has in ``/dev`` (the kernel's Documentation/admin-guide/devices.txt)."""

from __future__ import annotations

from bootsmith.tree.entry import Device, Metadata

_NUMBERS = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
    "console": (5, 1),
    "ptmx": (5, 2),
}

DESCRIPTOR_LINKS = {
    "fd": b"/proc/self/fd",
    "stdin": b"/proc/self/fd/0",
    "stdout": b"/proc/self/fd/1",
    "stderr": b"/proc/self/fd/2",
}
"""Links to a process's own open files, with their targets."""


def usual_devices() -> dict[str, tuple[bool, int, int]]:
    """By path: whether each is a block device, and its two numbers."""
    return {f"dev/{name}": (False, *numbers) for name, numbers in _NUMBERS.items()}


def device_node(name: str, metadata: Metadata) -> Device:
    """The character device that is called ``/dev/name`` everywhere."""
    major, minor = _NUMBERS[name]
    return Device(metadata, is_block=False, major=major, minor=minor)
