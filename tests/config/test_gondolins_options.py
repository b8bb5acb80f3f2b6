"""Every option of Gondolin's configuration reference, with the default that it names there."""

from __future__ import annotations

from typing import Any

import pytest

from bootsmith.config.build_config import BuildConfig
from bootsmith.config.parse import parse_config
from bootsmith.config.shape import every_key
from bootsmith.errors import ConfigError

PACKAGES = ["linux-virt", "rng-tools", "bash", "ca-certificates", "curl", "nodejs", "npm", "uv",
            "python3", "openssh"]  # fmt: skip

# A value that means something, and the default; ``None`` where the reference derives or leaves it.
OPTIONS: dict[str, tuple[Any, Any]] = {
    "arch": ("aarch64", None),
    "distro": ("alpine", "alpine"),
    "env": ({"FOO": "bar"}, {}),
    "alpine.version": ("3.22.1", "3.23.0"),
    "alpine.branch": ("v3.22", None),
    "alpine.mirror": ("https://mirror.example.org/alpine", None),
    "alpine.kernelPackage": ("linux-lts", "linux-virt"),
    "alpine.kernelImage": ("vmlinuz-lts", "vmlinuz-virt"),
    "alpine.rootfsPackages": (["linux-virt"], PACKAGES),
    "alpine.initramfsPackages": (["busybox"], []),
    "alpine.krunfwVersion": ("v5.1.0", "v5.2.1"),
    "oci.image": ("docker.io/library/debian:bookworm-slim", "debian"),
    "oci.runtime": ("podman", None),
    "oci.platform": ("linux/arm64", None),
    "oci.pullPolicy": ("always", "if-not-present"),
    "rootfs.label": ("mine", "gondolin-root"),
    "rootfs.sizeMb": (2048, None),
    "init.rootfsInit": ("./init", None),
    "init.initramfsInit": ("./initramfs-init", None),
    "init.rootfsInitExtra": ("./extra.sh", None),
    "runtimeDefaults.rootfsMode": ("readonly", None),
    "postBuild.copy": ([{"src": "./dist/tool.tgz", "dest": "/tmp/tool.tgz"}], []),
    "postBuild.commands": (["pip3 install llm llm-anthropic"], []),
    "container.force": (True, False),
    "container.image": ("alpine:3.22", "alpine:3.23"),
    "container.runtime": ("docker", None),
    "sandboxdPath": ("./sandboxd", None),
    "sandboxfsPath": ("./sandboxfs", None),
    "sandboxsshPath": ("./sandboxssh", None),
    "sandboxingressPath": ("./sandboxingress", None),
}


def config_with(key: str, **options: object) -> BuildConfig:
    """A config of Alpine, with what the part of ``key`` cannot do without, and ``options`` in it;
    a key that means nothing is a failure."""
    part = key.rpartition(".")[0]
    fields: dict[str, Any] = {"distro": "alpine"}
    if part:
        fields[part] = {"image": "debian"} if part == "oci" else {}
    (fields[part] if part else fields).update(options)
    return parse_config(fields, origin="x", strict=True)


def value_of(config: BuildConfig, key: str) -> object:
    found: Any = config.model_dump(mode="json", by_alias=True)
    for step in key.split("."):
        found = found[step]
    return found


@pytest.mark.parametrize("key", OPTIONS)
def test_it_is_understood_and_kept(key: str) -> None:
    value, _ = OPTIONS[key]
    assert key in every_key()
    assert value_of(config_with(key, **{key.rpartition(".")[2]: value}), key) == value


@pytest.mark.parametrize("key", OPTIONS)
def test_its_default_is_the_references(key: str) -> None:
    assert value_of(config_with(key), key) == OPTIONS[key][1]


@pytest.mark.parametrize("key", OPTIONS)
def test_a_value_of_another_kind_is_told_at_its_place(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_with(key, **{key.rpartition(".")[2]: 1.5})
    assert [problem.pointer for problem in caught.value.problems] == [key]
