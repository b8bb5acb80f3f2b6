"""Ids: equal for equal inputs, different for any other, and stable before a change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bootsmith.model.arch import Arch
from bootsmith.model.digest import Digest
from bootsmith.plan.build_plan import BuildPlan, CopyIn, InstallPackages, RunCommand, WriteFile

A, B = Digest.of(b"a"), Digest.of(b"b")
PLAN = BuildPlan(
    arch=Arch.X86_64,
    steps=(
        InstallPackages(distro="debian", packages=(A, B)),
        CopyIn(layer=A, target="/opt"),
        RunCommand(command="true", network=True),
        WriteFile(path="/etc/x", content=A, mode=0o644),
    ),
    kernel=A,
    guest=B,
    options={"label": "x"},
)


def test_the_same_plan_has_the_same_id() -> None:
    assert replace(PLAN).id == PLAN.id
    assert PLAN.derived_uuid("rootfs") == replace(PLAN).derived_uuid("rootfs")
    assert PLAN.derived_uuid("rootfs") != PLAN.derived_uuid("hash seed")


def test_the_order_in_which_packages_are_installed_matters() -> None:
    """Of two packages that bring one file, the later one meets it."""
    turned = InstallPackages(distro="debian", packages=(B, A))
    assert replace(PLAN, steps=(turned, *PLAN.steps[1:])).id != PLAN.id


@pytest.mark.parametrize(
    "changed",
    [
        replace(PLAN, arch=Arch.AARCH64),
        replace(PLAN, kernel=B),
        replace(PLAN, guest=A),
        replace(PLAN, options={"label": "y"}),
        replace(PLAN, source_date_epoch=1),
        replace(PLAN, steps=PLAN.steps[:-1]),
        replace(
            PLAN,
            steps=(
                InstallPackages(distro="debian", packages=(A, B), hostname="x"),
                *PLAN.steps[1:],
            ),
        ),
        replace(
            PLAN,
            steps=(
                InstallPackages(distro="debian", packages=(A, B), minirootfs=A),
                *PLAN.steps[1:],
            ),
        ),
        replace(
            PLAN,
            steps=(
                InstallPackages(distro="debian", packages=(A, B), sources=("x",)),
                *PLAN.steps[1:],
            ),
        ),
        replace(PLAN, steps=PLAN.steps[::-1]),
        replace(PLAN, steps=(*PLAN.steps[:-1], WriteFile(path="/etc/x", content=A, mode=0o600))),
        replace(
            PLAN, steps=(*PLAN.steps[:2], RunCommand(command="true", network=False), PLAN.steps[3])
        ),
    ],
)
def test_any_change_changes_the_id(changed: BuildPlan) -> None:
    assert changed.id != PLAN.id


def test_a_change_at_the_end_leaves_the_ids_before_it() -> None:
    changed = replace(PLAN, steps=(*PLAN.steps[:-1], WriteFile(path="/y", content=B, mode=0o600)))
    assert changed.step_ids[:-1] == PLAN.step_ids[:-1]
    assert changed.step_ids[-1] != PLAN.step_ids[-1]
