"""Everything again, as an ordinary user: no root is needed, and none is wanted."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.judges import unavailable
from tests.support.ordinary_user import CHECKOUT, OrdinaryUser, ordinary_user

pytestmark = pytest.mark.root

_SUITE = """
import sys, pytest
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", *sys.argv[1:]]))
"""
_SUPPORT = """
from bootsmith.host.namespaces import namespace_support
print(*namespace_support(), sep="|")
"""
_THESE = ("test_changes.py", "test_commands.py", "test_isolation.py")


@pytest.fixture
def user(worker_id: str) -> Iterator[OrdinaryUser]:
    if os.geteuid() != 0:
        pytest.skip("this run is an ordinary user's anyway")
    with ordinary_user(f"bootsmith-test-{worker_id}") as made:
        yield made


def test_the_sandbox_works_without_root(user: OrdinaryUser) -> None:
    if user.run(f"import os; os.listdir({str(CHECKOUT)!r})").returncode:
        unavailable(f"an ordinary user cannot read {CHECKOUT}")
    home = Path("/home") / str(user.name)
    words = [CHECKOUT / "tests" / "sandbox" / name for name in _THESE]
    env = {"HOME": str(home), **({"CI": os.environ["CI"]} if "CI" in os.environ else {})}
    done = user.run(
        _SUITE, f"--rootdir={CHECKOUT}", f"--basetemp={home}/t", *words, env=env, umask=0o077
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


def test_an_ordinary_user_is_supported(user: OrdinaryUser) -> None:
    assert user.run(_SUPPORT).stdout == "subuid||\n"


def test_without_subordinate_ids_the_fix_is_named(worker_id: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make such a user")
    name = f"bootsmith-none-{worker_id}"
    with ordinary_user(name, with_ranges=False) as user:
        kind, reason, fix = user.run(_SUPPORT).stdout.strip().split("|")
    assert kind == "none"
    assert reason == f"/etc/subuid gives {name} no range of 65536 ids"
    found = re.fullmatch(
        r"let root run: usermod --add-subuids (\d+)-(\d+) --add-subgids \1-\2 (\S+)", fix
    )
    assert found is not None, fix
    assert found[3] == name
    assert int(found[2]) - int(found[1]) == 65535
    for line in Path("/etc/subuid").read_text().splitlines():
        _, first, size = line.split(":")
        assert int(found[1]) >= int(first) + int(size), "an id that somebody else has"
