"""Gondolin's own builder at work on a mirror of ours: a tiny Alpine and a kernel of a few bytes."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

from bootsmith.image.compression import Compression, compressed
from tests.support.gondolin_host import INSTALLED, GondolinHost
from tests.support.image_archives import archive, file_member, gzipped, link_member, other_member
from tests.support.kernel_shapes import bzimage, vmlinux
from tests.support.krunfw_archives import KERNELS

_VERSION, _BRANCH, _KRUNFW = "3.23.0", "v3.23", "v5.2.1"
_DIRECTORY = b"5"  # tarfile.DIRTYPE
KRUN_KERNEL = KERNELS["x86_64"]


def mirror() -> dict[str, bytes]:
    """What its builder asks a mirror for: the minirootfs, an index, and a kernel's package."""
    shell = file_member("bin/busybox", b"#!/bin/true\n")
    shell[0].mode = 0o755
    rootfs = [
        other_member("bin", _DIRECTORY), shell, link_member("bin/sh", "/bin/busybox"),
        file_member("etc/alpine-release", b"3.23.0\n"), file_member("etc/zeros", bytes(1 << 20)),
    ]  # fmt: skip
    kernel = bzimage(compressed(vmlinux(), Compression.GZIP))
    main = f"{_BRANCH}/main/x86_64"
    package = [file_member("boot/vmlinuz-virt", kernel), file_member(".PKGINFO", b"pkgname = x\n")]
    return {
        f"{_BRANCH}/releases/x86_64/alpine-minirootfs-{_VERSION}-x86_64.tar.gz": gzipped(
            archive(before=rootfs)
        ),
        f"{main}/APKINDEX.tar.gz": gzipped(
            archive(before=[file_member("APKINDEX", b"P:linux-virt\nV:6.1-r0\n\n")])
        ),
        f"{main}/linux-virt-6.1-r0.apk": gzipped(archive(before=package)),
    }


def gondolin_build(
    host: GondolinHost, *words: str | Path, mirror_url: str, **fields: Any
) -> subprocess.CompletedProcess[bytes]:
    """``gondolin build WORDS…`` with a small config; ``fields`` are more of it."""
    have_krun_kernel(host.home)
    helper = host.home / "helper"
    helper.write_bytes(b"#!/bin/true\n")
    config = {
        "arch": "x86_64",
        "distro": "alpine",
        "alpine": {
            "version": _VERSION,
            "mirror": mirror_url.rstrip("/"),
            "rootfsPackages": [],
            "initramfsPackages": [],
        },
        **{f"sandbox{name}Path": str(helper) for name in ("d", "fs", "ssh", "ingress")},
        **fields,
    }
    (host.home / "config.json").write_text(json.dumps(config))
    return gondolin(host, "build", "--config", host.home / "config.json", *words)


def gondolin(
    host: GondolinHost, *words: str | Path, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """``gondolin WORDS…`` with the image store of its home, unless ``variables`` say other."""
    return subprocess.run(
        host.command(*words),
        env={
            **host.environment(),
            "GONDOLIN_IMAGE_STORE": str(store_of(host)),
            "PATH": host.environment()["PATH"] + ":/usr/sbin:/sbin",
            **variables,
        },
        cwd=INSTALLED,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )


def store_of(host: GondolinHost) -> Path:
    """Where its images are."""
    return host.home / "gondolin-images"


def have_krun_kernel(home: Path) -> None:
    """It would fetch that from a server that cannot be named otherwise; its cache may have it."""
    cache = home / ".cache" / "gondolin" / "build"
    digest = hashlib.sha256(KRUN_KERNEL).hexdigest()
    index = cache / "libkrunfw" / "index" / _KRUNFW / "x86_64"
    index.mkdir(parents=True, exist_ok=True)
    (index / "kernel.sha256").write_text(digest + "\n")
    (cache / "cas" / "sha256").mkdir(parents=True, exist_ok=True)
    (cache / "cas" / "sha256" / digest).write_bytes(KRUN_KERNEL)
