"""The beginnings of qcow2 files, right and wrong."""

from __future__ import annotations

import struct


def qcow2_header(
    *, backing: bytes = b"", version: int = 3, features: int = 0, encryption: int = 0
) -> bytes:
    """A header of 104 bytes, the name of the backing file behind it."""
    size = 104
    return (
        struct.pack(
            ">4sIQIIQI", b"QFI\xfb", version, size if backing else 0, len(backing), 16, 1 << 20,
            encryption,
        )
        + bytes(36)
        + struct.pack(">Q", features)
        + bytes(size - 80)
        + backing
    )  # fmt: skip
