"""The choice of packages against apk's own, over random worlds."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bootsmith.errors import ResolveError
from bootsmith.sources.alpine.mirror import Repository
from bootsmith.sources.alpine.solver import solve
from bootsmith.sources.alpine.trust import Keyring
from bootsmith.sources.alpine.universe import Universe, load_universe
from bootsmith.sources.alpine.world import parse_world
from bootsmith.store.blobs import Store
from tests.support.alpine_repository import ARCH, SigningKey, apk, repository
from tests.support.alpine_worlds import made_up
from tests.support.real_alpine import Files, RealApk, real_repository, real_universe

KEY = SigningKey.generate()
REAL_WORLDS = 250
SEEDS = 12

pytestmark = [pytest.mark.judge, pytest.mark.root]


@pytest.fixture(scope="module")
def apk_tool(tmp_path_factory: pytest.TempPathFactory) -> RealApk:
    found = RealApk.unpack(tmp_path_factory.mktemp("minirootfs"))
    found.trust(KEY)
    return found


def ours(universe: Universe, world: tuple[str, ...]) -> list[str] | None:
    try:
        return [one.full_name for one in solve(universe, parse_world(world)).packages]
    except ResolveError:
        return None


def test_real_packages(apk_tool: RealApk, tmp_path: Path) -> None:
    """The same packages in the same order."""
    universe = real_universe(Store(tmp_path / "store"))
    apk_tool.offer_folder("real", real_repository())
    (index,) = (one.index for one in universe.repositories)
    names, provided = sorted(set(index.names())), sorted(set(index.provided_names()))
    rng = random.Random(3)
    worlds: list[tuple[str, ...]] = []
    for _ in range(REAL_WORLDS):
        world = rng.sample(names, rng.randrange(1, 6))
        if rng.random() < 0.3:
            world.append(rng.choice(provided))
        if rng.random() < 0.2:  # apk lets a later word about a name replace the earlier
            world.append("!" + rng.choice([one for one in names if one not in world]))
        worlds.append(tuple(world))
    answers = apk_tool.choose(worlds, ["/real"])
    for wanted, answer in zip(worlds, answers, strict=True):
        assert ours(universe, wanted) == answer, wanted


@pytest.mark.parametrize(
    ("conflicts", "tag", "most_different"), [(0.0, None, 4), (0.1, None, 4), (0.05, "edge", 10)]
)
def test_made_up_packages(
    conflicts: float, tag: str | None, most_different: int, apk_tool: RealApk, tmp_path: Path
) -> None:
    """Repositories full of choices.

    Where apk finds a way, so do we; of the few that differ, ``docs/decisions/0008`` tells.  Where
    apk gives up we may find one: ``test_solver.py`` compares with brute force.
    """
    different = compared = 0
    for seed in range(SEEDS):
        one = made_up(100 * SEEDS + seed, conflicts=conflicts, tag=tag)
        files = {"main": repository(one.packages, key=KEY)}
        if tag:
            files["tagged"] = repository(one.tagged, key=KEY)
        addresses, places = [], []
        for name, found in files.items():
            folder = f"{name}-{conflicts}-{tag}-{seed}"
            apk_tool.offer(folder, found)
            is_tagged = name == "tagged"
            addresses.append(f"@{tag} /{folder}" if is_tagged else f"/{folder}")
            places.append(Repository(mirror=f"file:///{name}", tag=tag if is_tagged else None))
        universe = load_universe(
            places,
            arch=ARCH,
            fetchers={f"file:///{name}": Files(found) for name, found in files.items()},
            store=Store(tmp_path / f"store-{seed}"),
            keyring=Keyring({KEY.name: KEY.public}),
        )
        answers = apk_tool.choose(one.worlds, addresses)
        for wanted, answer in zip(one.worlds, answers, strict=True):
            if answer is not None:
                compared += 1
                chosen = ours(universe, wanted)
                assert chosen is not None, wanted
                different += set(chosen) != set(answer)
    assert compared > 80
    assert different <= most_different, f"{different} of {compared} differ"


def test_the_judge_sees_a_difference(apk_tool: RealApk) -> None:
    """Sabotage: apk is shown another world than we are, and answers otherwise."""
    one, other = apk(name="a", depends="b"), apk(name="b")
    apk_tool.offer("sabotage", repository([one, other], key=KEY))
    assert apk_tool.choose([("a",), ("nowhere",)], ["/sabotage"]) == [
        ["b-1.0-r0", "a-1.0-r0"],
        None,
    ]
