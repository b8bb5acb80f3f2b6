from __future__ import annotations

import re
import uuid

import pytest

from bootsmith.image.ext4.half_md4 import NameHash, hash_names
from tests.support.judges import judge

SEED = bytes(range(1, 17))
NO_SEED = bytes(16)


def name_hash(major: int, minor: int) -> NameHash:
    return NameHash(major << 32 | minor)


@pytest.mark.parametrize(
    ("name", "seed", "expected"),
    [
        pytest.param(b"hello", SEED, (0xE2DDF968, 0xC8BC0924), id="short"),
        pytest.param(b"hello", NO_SEED, (0x1746DA32, 0x420013B5), id="default seed"),
        pytest.param(b"x" * 32, SEED, (0xBC1DA53A, 0x75710A8), id="one full block"),
        pytest.param(b"y" * 33, SEED, (0x79FDC4B6, 0x74D31173), id="a byte more"),
        pytest.param(b"z" * 255, SEED, (0x870CF3D4, 0xBEA6E8E1), id="longest"),
    ],
)
def test_hashes_that_debugfs_gives(name: bytes, seed: bytes, expected: tuple[int, int]) -> None:
    assert hash_names([name], seed) == [name_hash(*expected)]


def test_a_batch_hashes_like_its_names_alone() -> None:
    names = [b"n" * (1 + i % 255) + b"%d" % i for i in range(1020)]
    names = [name[-255:] for name in names]
    assert hash_names(names, SEED) == [hash_names([name], SEED)[0] for name in names]


def test_no_names() -> None:
    assert hash_names([], SEED) == []


@pytest.mark.judge
def test_names_of_every_length_against_debugfs() -> None:
    names = ["abcdefghijklmnopqrstuvwxyz"[i % 26] * i for i in range(1, 256)]
    request = "\n".join(f"dx_hash -h half_md4 -s {uuid.UUID(bytes=SEED)} {name}" for name in names)
    said = judge("debugfs", "-f", "-", stdin=request.encode())
    answers = re.findall(r"^Hash of (\S+) is (\S+) \(minor (\S+)\)$", said, re.MULTILINE)
    assert [name for name, _, _ in answers] == names
    expected = [name_hash(int(major, 16), int(minor, 16)) for _, major, minor in answers]
    assert hash_names([name.encode() for name in names], SEED) == expected
