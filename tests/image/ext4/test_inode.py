from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootsmith.errors import ImageError
from bootsmith.image.ext4.inode import (
    check_ids,
    decode_device,
    decode_time,
    encode_device,
    encode_time,
)

SECOND = 1_000_000_000
EARLIEST = -(1 << 31) * SECOND
LATEST = ((1 << 34) - (1 << 31) - 1) * SECOND


@pytest.mark.parametrize(
    ("time_ns", "seconds", "extra"),
    [
        pytest.param(0, 0, 0, id="1970"),
        pytest.param(-1, 0xFFFF_FFFF, 999_999_999 << 2, id="a nanosecond before 1970"),
        pytest.param(EARLIEST, 0x8000_0000, 0, id="1901"),
        pytest.param(((1 << 31) - 1) * SECOND, 0x7FFF_FFFF, 0, id="2038, the last old second"),
        pytest.param((1 << 31) * SECOND, 0x8000_0000, 1, id="2038, the first new second"),
        pytest.param((1 << 32) * SECOND + 5, 0, 5 << 2 | 1, id="2106"),
        pytest.param(LATEST, 0x7FFF_FFFF, 3, id="2446"),
        pytest.param(EARLIEST - 1, 0x8000_0000, 0, id="too early"),
        pytest.param(LATEST + SECOND, 0x7FFF_FFFF, 3, id="too late"),
    ],
)
def test_times(time_ns: int, seconds: int, extra: int) -> None:
    assert encode_time(time_ns) == (seconds, extra)
    assert decode_time(seconds, extra) == min(max(time_ns, EARLIEST), LATEST)


@given(st.integers(EARLIEST, LATEST))
def test_times_there_and_back(time_ns: int) -> None:
    assert decode_time(*encode_time(time_ns)) == time_ns


@pytest.mark.parametrize(
    ("major", "minor", "block"),
    [
        pytest.param(1, 3, bytes.fromhex("03010000"), id="null"),
        pytest.param(255, 255, bytes.fromhex("ffff0000"), id="last old number"),
        pytest.param(256, 0, bytes.fromhex("0000000000000100"), id="first new major"),
        pytest.param(0, 256, bytes.fromhex("0000000000001000"), id="first new minor"),
        pytest.param(4095, 0xFFFFF, bytes.fromhex("00000000ffffffff"), id="largest"),
        pytest.param(0, 0, bytes(4), id="none"),
    ],
)
def test_device_numbers(major: int, minor: int, block: bytes) -> None:
    assert encode_device(major, minor) == block
    assert decode_device(block.ljust(60, b"\0")) == (major, minor)


@pytest.mark.parametrize(("major", "minor"), [(4096, 0), (0, 1 << 20), (-1, 0), (0, -1)])
def test_device_numbers_linux_does_not_have(major: int, minor: int) -> None:
    with pytest.raises(ImageError):
        encode_device(major, minor)


@pytest.mark.parametrize(("uid", "gid"), [((1 << 32) - 1, 0), (0, (1 << 32) - 1), (-1, 0), (0, -1)])
def test_owners_linux_does_not_have(uid: int, gid: int) -> None:
    with pytest.raises(ImageError):
        check_ids(uid, gid)
