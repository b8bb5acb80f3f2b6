import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootsmith.errors import ImageError
from bootsmith.sources.debian.version import Version
from tests.support.examples import examples
from tests.support.judges import require

# Each row is in ascending order; "=" joins versions that are equal.
ORDERED = [
    ("digits are numbers", ["1.2", "1.10", "1.100"]),
    ("leading zeros do not count", ["1.01=1.1=1.001"]),
    ("a missing number is zero", ["1.a=1.a0", "1.a1"]),
    ("the tilde sorts before the end", ["1.0~~", "1.0~~a", "1.0~", "1.0", "1.0a"]),
    ("letters sort before signs", ["1a", "1+", "1."]),
    ("upper case sorts before lower case", ["1A", "1a"]),
    ("the epoch decides first", ["9:0~", "10:0"]),
    ("no epoch is epoch zero", ["0:1.0=1.0"]),
    ("no revision sorts before one", ["1.0-0=1.0", "1.0-1"]),
    ("the last dash parts the revision", ["1-3", "1-2-2", "1-2-10"]),
    ("a backport sorts before what it was made from", ["1.0-1~bpo12+1", "1.0-1", "1.0-1+b1"]),
    ("a security update sorts before the next release", ["1.0-1", "1.0-1+deb12u1", "1.0-2"]),
    ("a colon may stand behind an epoch", ["1:1:0", "1:1:1"]),
    ("long numbers are exact", ["1.99999999999999999998", "1.99999999999999999999"]),
]

BAD = {
    "empty": "",
    "space": "1.0 1",
    "epoch of letters": "a:1",
    "empty epoch": ":1",
    "empty upstream": "1:",
    "only a revision": "-1",
    "empty revision": "1.0-",
    "sign in the revision": "1.0-1_1",
    "underscore": "1_0",
    "line feed": "1.0\n",
    "not ASCII": "1.0é",
    "huge epoch": "99999999999:1",
}

versions = st.from_regex(
    r"\A(?:[0-9]{1,3}:)?[0-9][A-Za-z0-9.+~]{0,8}(?:-[A-Za-z0-9.+~]{1,5})?\Z", fullmatch=True
)


@pytest.mark.parametrize(("case", "row"), ORDERED, ids=[case for case, _ in ORDERED])
def test_order(case: str, row: list[str]) -> None:
    groups = [[Version.parse(text) for text in group.split("=")] for group in row]
    for position, group in enumerate(groups):
        for one in group:
            assert all(one == other and hash(one) == hash(other) for other in group), case
            assert all(one < later for behind in groups[position + 1 :] for later in behind), case


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(ImageError, match="version"):
        Version.parse(text)


def test_a_version_keeps_its_spelling() -> None:
    assert str(Version.parse("1:1.02-1")) == "1:1.02-1"


@pytest.mark.judge
@pytest.mark.parametrize(("case", "row"), ORDERED, ids=[case for case, _ in ORDERED])
def test_dpkg_agrees_with_the_table(case: str, row: list[str]) -> None:
    flat = [text for group in row for text in group.split("=")]
    for left in flat:
        for right in flat:
            assert compare(left, right) == dpkg_compare(left, right), f"{left} {right}"


@pytest.mark.judge
@examples(60)
@given(versions, versions)
def test_dpkg_agrees_on_any_two_versions(left: str, right: str) -> None:
    assert compare(left, right) == dpkg_compare(left, right)


@given(st.lists(versions, min_size=3, max_size=3))
def test_the_order_is_total(texts: list[str]) -> None:
    a, b, c = sorted(map(Version.parse, texts))
    assert a <= b <= c
    assert a <= c


def compare(left: str, right: str) -> str:
    one, other = Version.parse(left), Version.parse(right)
    return "lt" if one < other else "eq" if one == other else "gt"


def dpkg_compare(left: str, right: str) -> str:
    dpkg = require("dpkg")
    for answer in ("lt", "eq", "gt"):
        done = subprocess.run(
            [dpkg, "--compare-versions", left, answer, right], capture_output=True, check=False
        )
        assert not done.stderr, done.stderr
        if done.returncode == 0:
            return answer
    raise AssertionError("dpkg knows no order")
