from __future__ import annotations

import os
from pathlib import Path

import pytest

from bootsmith.host.sandbox.subordinate_ids import IdRange, own_range, ranges, user_name

LINES = """\
alice:100000:65536
bob:165536:1000
1001:300000:70000
alice:900000:65536

broken
alice:x:65536
alice:1:2:3
"""


@pytest.mark.parametrize(
    ("owners", "expected"),
    [
        (("alice", "1000"), [IdRange(100000, 65536), IdRange(900000, 65536)]),
        (("bob", "1002"), [IdRange(165536, 1000)]),
        (("carol", "1001"), [IdRange(300000, 70000)]),
        (("dave", "1003"), []),
    ],
)
def test_ranges_by_name_or_number(owners: tuple[str, ...], expected: list[IdRange]) -> None:
    assert ranges(LINES, owners) == expected


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [((65535,), 65535), ((1000, 65536), 65536), ((65534,), None), ((), None)],
)
def test_only_a_range_for_a_whole_system_will_do(
    tmp_path: Path, sizes: tuple[int, ...], expected: int | None
) -> None:
    file = tmp_path / "subuid"
    file.write_text("".join(f"{os.getuid()}:100000:{size}\n" for size in sizes))
    found = own_range(file)
    assert (found.size if found else None) == expected


def test_no_file(tmp_path: Path) -> None:
    assert own_range(tmp_path / "none") is None


def test_the_users_name() -> None:
    assert user_name()
