"""Gondolin's own example configs: the files themselves where they are, and their ideas anywhere.

The packages are small ones of the same names, in a repository made on the spot.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from bootsmith.config.text import parse_text
from bootsmith.model.arch import Arch
from bootsmith.plan.alpine import BASE
from tests.support.alpine_mirrors import linux_virt
from tests.support.alpine_repository import Apk, File, Item, apk
from tests.support.debian_images import CHECKOUT

SHARE = "usr/share/small"
"""Every small package has a file of its name here."""

OCI = ("oci-debian", "oci-distroless-nodejs24")

_UPSTREAM = Path(
    os.environ.get("BOOTSMITH_GONDOLIN_CONFIGS", CHECKOUT.parent / "shared/data/gondolin-configs")
)
_TOOLS = ("linux-virt", "rng-tools", "bash", "ca-certificates", "curl", "nodejs", "npm")
_USUAL = (*_TOOLS, "uv", "python3", "openssh")
_DOCKER = ("docker", "docker-cli", "containerd", "runc", "iptables")
_BROWSER = (
    "chromium", "dbus", "mesa-dri-gallium", "font-noto", "xvfb-run", "gsettings-desktop-schemas",
)  # fmt: skip
_QEMU = ("qemu-system-aarch64", "qemu-img")

PACKAGES = {
    "alpine-base": _USUAL,
    "chromium": (*_USUAL, *_BROWSER),
    "docker": (*_USUAL, *_DOCKER),
    "gondolin-in-gondolin": (*_TOOLS, "python3", *_QEMU, *_DOCKER),
    "llm": (*_USUAL[:-1], "py3-pip", "openssh"),
    "minimal": ("linux-virt",),
}
"""What each of them that is made of Alpine's packages asks for."""

_MORE: dict[str, dict[str, Any]] = {
    "alpine-base": {"imageName": "alpine-base", "arch": "x86_64"},
    "chromium": {"init": {"rootfsInitExtra": "chromium-init-extra.sh"}},
    "docker": {"init": {"rootfsInitExtra": "docker-init-extra.sh"}},
    "gondolin-in-gondolin": {"init": {"rootfsInitExtra": "docker-init-extra.sh"}},
    "llm": {"postBuild": {"commands": ["pip3 install --break-system-packages llm llm-anthropic"]}},
    "minimal": {"rootfs": {"label": "gondolin-root", "sizeMb": 40}},
}

# What pip and npm leave behind, without a network: a program for every name.
_INSTALLER = b"""#!/bin/sh
shift
for word; do
  case $word in -*) continue ;; esac
  printf '#!/bin/sh\\necho "%s $*"\\n' "$word" >"/usr/bin/$word"
  chmod 755 "/usr/bin/$word"
done
"""
_PROGRAMS: dict[str, dict[str, Item]] = {
    "npm": {"usr/bin/npm": File(_INSTALLER, 0o755)},
    "py3-pip": {"usr/bin/pip3": File(_INSTALLER, 0o755)},
}


def fields_like(name: str) -> dict[str, Any]:
    """A config that says what Gondolin's own ``name`` says."""
    more = _MORE[name]
    alpine: dict[str, Any] = {
        "version": "3.23.0",
        "kernelPackage": "linux-virt",
        "kernelImage": "vmlinuz-virt",
        "rootfsPackages": list(PACKAGES[name]),
        "initramfsPackages": [],
    }
    if "imageName" in more:
        alpine["krunfwVersion"] = "v5.2.1"
    return {
        "arch": "aarch64",
        "distro": "alpine",
        "alpine": alpine,
        "rootfs": {"label": "gondolin-root"},
        **more,
    }


def upstream_fields(name: str) -> dict[str, Any]:
    """Gondolin's own ``name``; where it is not, the test is skipped."""
    path = _UPSTREAM / f"upstream-{name}.json"
    if not path.exists():
        pytest.skip("Gondolin's own configs (shared/data/gondolin-configs) are not here")
    return parse_text(path.read_text("utf-8"), origin=path.name)


def small_packages(names: Iterable[str], *, arch: Arch = Arch.X86_64) -> list[Apk]:
    """A package for each of ``names`` that the base does not have; the kernel is a real one."""
    return [
        linux_virt(arch, modules="default") if name == "linux-virt" else _small(name, arch)
        for name in sorted({*names, "linux-virt"} - set(BASE))
    ]


def _small(name: str, arch: Arch) -> Apk:
    files: dict[str, Item] = {f"{SHARE}/{name}": name.encode(), **_PROGRAMS.get(name, {})}
    return apk(name=name, arch=arch.apk, files=files, depends="busybox")
