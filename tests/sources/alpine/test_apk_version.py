"""apk's order of versions."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest

from bootsmith.errors import ImageError
from bootsmith.sources.alpine.apk_version import ApkVersion
from tests.support.real_alpine import RealApk

ASCENDING = (
    "0_alpha", "0", "0.1", "1_alpha", "1_alpha1", "1_alpha1-r1", "1_beta", "1_pre", "1_rc", "1_rc1",
    "1", "1-r0", "1-r1", "1-r10", "1_cvs", "1_svn", "1_git20230717", "1_git20230717-r4", "1_hg",
    "1_p", "1_p1", "1_p10", "1a", "1a-r1", "1b", "1.001", "1.0", "1.0.1", "1.01", "1.1", "1.2",
    "1.10", "2", "20230506", "20230828.3.1",
)  # fmt: skip


@pytest.mark.parametrize(("lower", "higher"), list(pairwise(ASCENDING)))
def test_the_order(lower: str, higher: str) -> None:
    one, other = ApkVersion.parse(lower), ApkVersion.parse(higher)
    assert one < other
    assert not other < one
    assert one != other


def test_equal_versions_written_differently() -> None:
    assert ApkVersion.parse("1.2-r1") == ApkVersion.parse("1.2-r01")
    assert str(ApkVersion.parse("1.2-r01")) == "1.2-r01"


@pytest.mark.parametrize(
    ("bound", "version", "expected"),
    [
        ("1.2", "1.2", True),
        ("1.2", "1.2.7-r3", True),
        ("1.2", "1.2_rc1", True),
        ("1.2", "1.20", False),
        ("1.2", "1.3", False),
        ("1", "1.9.9-r9", True),
        ("1", "10", False),
        ("22", "22.11.0-r2", True),
        ("1.2.7", "1.2", False),
        ("1.2-r1", "1.2-r1", True),
        ("1.2-r1", "1.2-r10", False),
    ],
)
def test_beginning(bound: str, version: str, *, expected: bool) -> None:
    assert ApkVersion.parse(bound).begins(ApkVersion.parse(version)) is expected


@pytest.mark.parametrize(
    "text",
    ["", "a", "1.", ".1", "1..2", "1_foo", "1-1", "1-r", "1 ", "1.2-r1-r2", "v1", "1:2",
     "1.999999999999999999"],
)  # fmt: skip
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(ImageError, match="not an Alpine version"):
        ApkVersion.parse(text)


def made_up(rng: random.Random) -> str:
    text = rng.choice(["0", "1", "2", "10"])
    for _ in range(rng.randrange(4)):
        text += "." + rng.choice(["0", "1", "2", "10", "9", "05", "005", "00", "100", "01"])
    if rng.random() < 0.3:
        text += rng.choice("abz")
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
        name = rng.choice(["alpha", "beta", "pre", "rc", "cvs", "svn", "git", "hg", "p"])
        text += f"_{name}" + rng.choice(["", "1", "2", "20240101"])
    return text + rng.choice(["", "-r0", "-r1", "-r12"])


@pytest.mark.judge
@pytest.mark.root
def test_apk_orders_them_alike(tmp_path: Path) -> None:
    apk, rng = RealApk.unpack(tmp_path), random.Random(7)
    versions = [made_up(rng) for _ in range(300)]
    pairs = [(rng.choice(versions), rng.choice(versions)) for _ in range(600)]
    for one in versions:
        if "-" not in one:
            endings = ["_p", "_rc1", "_git2", ""]
            pairs.append((one, one + rng.choice([".0", ".1", *endings] if one[-1].isdigit()
                                                and "_" not in one else endings)))  # fmt: skip
    script = "".join(f"apk version -t {one} {other}\n" for one, other in pairs)
    said = apk.says("/bin/sh", "-c", script).split()
    assert len(said) == len(pairs)
    for (one, other), expected in zip(pairs, said, strict=True):
        ours = ApkVersion.parse(one), ApkVersion.parse(other)
        found = "<" if ours[0] < ours[1] else ">" if ours[0] > ours[1] else "="
        assert found == expected, (one, other)
