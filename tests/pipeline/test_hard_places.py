"""Full and read-only disks, a damaged store, a missing QEMU: told plainly, nothing half-made.

The disks are made in a mount namespace of their own, which ends with the command in it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.debian_images import BOOTSMITH, CACHE, bootsmith
from tests.support.judges import require

pytestmark = pytest.mark.network

ON_A_SMALL_DISK = """
set -e
mount -t tmpfs -o size=24m small "$1"
"$2" build --output "$1/image" || echo "status $?"
ls -A "$1"
"""
ON_A_READ_ONLY_DISK = """
set -e
mount -t tmpfs -o ro small "$1"
"$2" build --output "$1/image" || echo "status $?"
ls -A "$1"
"""
WITHOUT_QEMU = """
for qemu in /usr/bin/qemu-system-*; do mount --bind "$2/manifest.json" "$qemu"; done
"$1" exec "$2" -- true
echo "status $?"
"""


def in_own_mounts(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    require("unshare")
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", *arguments],
        env={**os.environ, "BOOTSMITH_CACHE_DIR": str(CACHE)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.root
@pytest.mark.parametrize(
    ("script", "reason"),
    [(ON_A_SMALL_DISK, "No space left"), (ON_A_READ_ONLY_DISK, "Read-only file system")],
    ids=["full", "read-only"],
)
def test_a_disk_that_takes_no_more(
    debian_image: Path, tmp_path: Path, script: str, reason: str
) -> None:
    done = in_own_mounts(script, tmp_path, BOOTSMITH)
    assert done.stdout == "status 1\n", done.stdout + done.stderr
    assert reason in done.stderr
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_package_in_the_store_is_fetched_again(
    debian_image: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(CACHE / "blobs", cache / "blobs")
    lock = (debian_image / "bootsmith.lock.json").read_text()
    damaged = next(
        path
        for path in sorted((cache / "blobs").rglob("*"))
        if path.is_file() and path.name in lock
    )
    damaged.chmod(0o644)
    with damaged.open("r+b") as file:
        file.write(b"damage")
    done = bootsmith(
        "build", "--output", tmp_path / "image", env={"BOOTSMITH_CACHE_DIR": str(cache)}
    )
    assert done.returncode == 0, done.stderr
    assert b"1 file," in done.stderr
    assert (tmp_path / "image" / "rootfs.ext4").read_bytes() == (
        debian_image / "rootfs.ext4"
    ).read_bytes()


def test_a_fixed_size_that_is_too_small_says_how_much_is_missing(
    debian_image: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"debian": {"packages": ["ca-certificates"]}, "rootfs": {"sizeMb": 50}}')
    done = bootsmith("build", "--config", config, "--output", tmp_path / "image")
    said = done.stderr.decode()
    assert done.returncode == 1
    assert "more than the 52428800 it may have" in said
    assert "rootfs.sizeMb" in said
    assert not (tmp_path / "image").exists()


def test_a_file_more_is_a_new_image_with_the_file(debian_image: Path, tmp_path: Path) -> None:
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool" / "run").write_text("#!/bin/sh\necho ran\n")
    (tmp_path / "tool" / "run").chmod(0o4750)
    (tmp_path / "config.json").write_text("""{
      "debian": {"packages": ["ca-certificates"]},
      "files": [{"path": "/etc/motd", "content": "hello\\n", "mode": "0600", "owner": "7"}],
      "postBuild": {
        "copy": [{"src": "tool", "dest": "/opt/tool"}],
        "commands": ["/opt/tool/run > /root/out", "env > /root/env"]
      }
    }""")
    done = bootsmith(
        "build", "--config", tmp_path / "config.json", "--output", tmp_path / "image",
        env={"SECRET_TOKEN": "must-not-be-in-the-image"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    require("debugfs")
    rootfs = tmp_path / "image" / "rootfs.ext4"
    assert "ran" in debugfs("cat /root/out", rootfs)
    assert "SECRET" not in debugfs("cat /root/env", rootfs)
    assert "Mode:  0600" in debugfs("stat /etc/motd", rootfs)
    assert "User:     7" in debugfs("stat /etc/motd", rootfs)
    assert "Mode:  04750" in debugfs("stat /opt/tool/run", rootfs)
    assert "User:     0" in debugfs("stat /opt/tool/run", rootfs)


def debugfs(request: str, image: Path) -> str:
    done = subprocess.run(
        [require("debugfs"), "-R", request, image], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_command_that_fails_is_told_with_its_output(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("""{
      "debian": {"packages": ["ca-certificates"]},
      "postBuild": {"commands": ["echo about to fail; exit 7"]}
    }""")
    done = bootsmith("build", "--config", tmp_path / "config.json", "--output", tmp_path / "image")
    said = done.stderr.decode()
    assert done.returncode == 1
    assert "status 7" in said
    assert "about to fail" in said
    assert not (tmp_path / "image").exists()


@pytest.mark.root
def test_without_qemu_the_fix_is_named(debian_image: Path) -> None:
    """Every QEMU of this machine is covered by a file that cannot be executed."""
    done = in_own_mounts(WITHOUT_QEMU, BOOTSMITH, debian_image)
    assert done.stdout == "status 1\n", done.stdout + done.stderr
    assert "qemu-system" in done.stderr
    assert "install it:" in done.stderr
