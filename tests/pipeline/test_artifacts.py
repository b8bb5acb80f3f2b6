"""What the config's root file system becomes."""

from __future__ import annotations

import pytest

from bootsmith.config.build_config import RootfsConfig
from bootsmith.model.arch import Arch
from bootsmith.model.digest import Digest
from bootsmith.pipeline.artifacts import ext4_options
from bootsmith.plan.build_plan import BuildPlan

PLAN = BuildPlan(
    arch=Arch.X86_64,
    steps=(),
    kernel=Digest.of(b"kernel"),
    guest=Digest.of(b"guest"),
    options={},
    source_date_epoch=0,
)


@pytest.mark.parametrize(
    ("config", "size_bytes", "free_bytes"),
    [
        ({}, None, 256 << 20),
        ({"freeMb": 1}, None, 1 << 20),
        ({"sizeMb": 40}, 40 << 20, 0),
        ({"sizeMb": 40, "freeMb": 256}, 40 << 20, 0),
        ({"profile": "ro"}, None, 0),
    ],
    ids=["default", "free", "fixed", "fixed-and-free", "read-only"],
)
def test_free_space_is_asked_for_only_where_the_size_is_not_fixed(
    config: dict[str, object], size_bytes: int | None, free_bytes: int
) -> None:
    options = ext4_options(RootfsConfig.model_validate(config), PLAN, epoch_s=0)
    assert (options.size_bytes, options.free_bytes) == (size_bytes, free_bytes)
