"""The package of the kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootsmith.errors import PackageNotFound, ResolveError, VersionConflict
from bootsmith.sources.alpine.kernel import kernel_package
from bootsmith.sources.alpine.universe import Universe
from bootsmith.store.blobs import Store
from tests.sources.alpine.test_solver import universe
from tests.support.alpine_repository import apk


@pytest.fixture
def kernels(tmp_path: Path) -> Universe:
    stable = [
        apk(name="linux-virt", version="6.6.8-r0", depends="mkinitfs"),
        apk(name="linux-virt", version="6.6.14-r0", depends="mkinitfs"),
        apk(name="other", version="9-r0", provides="linux-virt=9"),
    ]
    edge = [apk(name="linux-virt", version="6.12.1-r0")]
    return universe(Store(tmp_path / "store"), (None, stable), ("edge", edge))


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("linux-virt", "6.6.14-r0"),
        ("linux-virt=6.6.8-r0", "6.6.8-r0"),
        ("linux-virt~6.6", "6.6.14-r0"),
        ("linux-virt@edge", "6.12.1-r0"),
    ],
)
def test_the_version_that_is_meant(name: str, version: str, kernels: Universe) -> None:
    """The package of that name itself; what the kernel depends on need not exist."""
    assert str(kernel_package(kernels, name).version) == version


def test_what_cannot_be_had(kernels: Universe) -> None:
    with pytest.raises(PackageNotFound) as caught:
        kernel_package(kernels, "linux-vrit")
    assert caught.value.hint == "did you mean linux-virt?"
    with pytest.raises(VersionConflict):
        kernel_package(kernels, "linux-virt~6.12")
    with pytest.raises(ResolveError):
        kernel_package(kernels, "linux virt")
