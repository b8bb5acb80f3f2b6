"""What of a config decides an Alpine lock, and what its root file system is asked to hold."""

from __future__ import annotations

from typing import Any

import pytest

from bootsmith.config.parse import parse_config
from bootsmith.model.digest import Digest
from bootsmith.plan.alpine import BASE, alpine_inputs, world
from bootsmith.sources.alpine.world import parse_world


def worlds(asked: list[str], minirootfs: list[str]) -> set[str]:
    alpine = parse_config({"alpine": {"rootfsPackages": asked}}, origin="x").alpine
    return {str(one) for one in world(alpine, parse_world(minirootfs))}


@pytest.mark.parametrize(
    ("asked", "minirootfs", "found"),
    [
        ([], [], {*BASE}),
        (["bash"], ["curl", "apk-tools"], {*BASE, "bash", "curl"}),
        (["curl~8"], ["curl=7.1-r0"], {*BASE, "curl~8"}),
        (["!curl"], ["curl"], {*BASE, "!curl"}),
        (["!busybox"], ["busybox"], {*BASE, "!busybox"} - {"busybox"}),
        ([], ["busybox=1.36-r0"], {*BASE, "busybox=1.36-r0"} - {"busybox"}),
        ([], ["!libc-utils"], {*BASE, "!libc-utils"} - {"libc-utils"}),
        ([], ["a>1", "a<3"], {*BASE, "a>1", "a<3"}),
    ],
)
def test_the_users_words_count_before_those_of_a_minirootfs_and_these_before_ours(
    asked: list[str], minirootfs: list[str], found: set[str]
) -> None:
    assert worlds(asked, minirootfs) == found


def test_where_a_minirootfs_lies_decides_nothing_and_what_it_is_does() -> None:
    def inputs(fields: dict[str, Any], digest: Digest | None = None) -> object:
        return alpine_inputs(parse_config({"alpine": fields}, origin="x"), digest)

    one, other = Digest.of(b"one"), Digest.of(b"other")
    assert inputs({"minirootfs": "a.tar"}, one) == inputs({"minirootfs": "b/c.tar"}, one)
    assert inputs({"minirootfs": "a.tar"}, one) != inputs({"minirootfs": "a.tar"}, other)
    assert inputs({"minirootfs": "a.tar"}, one) != inputs({})
