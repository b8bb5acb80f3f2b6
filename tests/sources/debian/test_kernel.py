from __future__ import annotations

import pytest

from bootsmith.errors import PackageNotFound, ResolveError, VersionConflict
from bootsmith.model.arch import Arch
from bootsmith.sources.debian.kernel import default_kernel, kernel_package
from tests.support.debian_universe import suite_of, universe

OLD = "linux-image-6.1.0-1-cloud-amd64"
NEW = "linux-image-6.1.0-2-cloud-amd64"
META = "linux-image-cloud-amd64"
WORLD = universe(
    suite_of(
        {
            f"{META}=6.1.1": f"Depends: {OLD} (= 6.1.1)",
            f"{OLD}=6.1.1": "Depends: kmod, linux-base, initramfs-tools | linux-initramfs-tool",
        },
        name="stable",
    ),
    suite_of(
        {
            f"{META}=6.1.2": f"Depends: {NEW} (= 6.1.2)",
            f"{NEW}=6.1.2": "Depends: kmod",
            "linux-image-broken": "Depends: linux-image-gone (= 1)",
            "linux-image-ring": "Depends: linux-image-ring2",
            "linux-image-ring2": "Depends: linux-image-ring",
            "bash": "",
        },
        name="security",
    ),
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (None, NEW),
        (META, NEW),
        (f"{META}=6.1.1", OLD),
        (f"{META}/stable", OLD),
        (OLD, OLD),
        ("linux-image-ring", "linux-image-ring2"),
    ],
)
def test_kernel(name: str | None, expected: str) -> None:
    assert kernel_package(WORLD, Arch.X86_64, name).name == expected


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("bash", ResolveError, "is not a kernel"),
        ("linux-image-cluod-amd64", PackageNotFound, "there is no package"),
        ("linux-image-broken", PackageNotFound, "the kernel package does not exist"),
        (f"{META}=7", VersionConflict, "cannot be had"),
    ],
)
def test_no_kernel(name: str, kind: type[ResolveError], message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        kernel_package(WORLD, Arch.X86_64, name)
    assert caught.value.hint


def test_the_default_follows_the_architecture() -> None:
    assert default_kernel(Arch.AARCH64) == "linux-image-cloud-arm64"
