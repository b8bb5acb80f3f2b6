"""Somebody who has nothing but QEMU builds the same image as everybody else."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootsmith.host.environment import host_arch
from tests.pipeline.test_debian_build import digests
from tests.support.debian_images import CACHE
from tests.support.judges import require, unavailable
from tests.support.ordinary_user import CHECKOUT, OrdinaryUser, ordinary_user

pytestmark = [pytest.mark.network, pytest.mark.boot, pytest.mark.root]

_BUILD = """
import sys
from bootsmith.cli.main import main
sys.argv[0] = "bootsmith"
main()
"""


@pytest.fixture
def user(worker_id: str) -> Iterator[OrdinaryUser]:
    """One without subordinate ids: to him, namespaces are closed."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a user without subordinate ids")
    require(host_arch().qemu_system)
    with ordinary_user(f"bootsmith-vm-{worker_id}", with_ranges=False) as made:
        if made.run(f"import os; os.listdir({str(CHECKOUT)!r})").returncode:
            unavailable(f"an ordinary user cannot read {CHECKOUT}")
        yield made


@pytest.mark.timeout(1800)  # a hundred packages are configured under emulation
def test_an_ordinary_user_without_ranges_builds_the_same_image(
    debian_image: Path, user: OrdinaryUser
) -> None:
    home = Path("/home") / str(user.name)
    cache, lock = home / "cache", home / "lock.json"
    shutil.copytree(CACHE / "blobs", cache / "blobs")
    shutil.copy(debian_image / "bootsmith.lock.json", lock)
    subprocess.run(["chown", "-R", f"{user.name}:", cache, lock], check=True)
    done = user.run(
        _BUILD,
        *("build", "--offline", "--locked", "--lock", lock, "--output", home / "image"),
        env={"HOME": str(home), "BOOTSMITH_CACHE_DIR": str(cache)},
        umask=0o077,
        timeout_s=1700,
    )
    assert done.returncode == 0, done.stderr
    assert "package scripts run in a virtual machine, which takes longer: /etc/sub" in done.stderr
    assert digests(home / "image") == digests(debian_image)
    assert list((cache / "work").iterdir()) == []


def test_namespaces_that_are_asked_for_are_not_replaced(
    debian_image: Path, user: OrdinaryUser
) -> None:
    """And that they are missing is said before anything is fetched."""
    home = Path("/home") / str(user.name)
    lock = home / "lock.json"
    shutil.copy(debian_image / "bootsmith.lock.json", lock)
    lock.chmod(0o644)
    done = user.run(
        _BUILD,
        *("build", "--executor", "namespace", "--locked", "--lock", lock, "-o", home / "image"),
        env={"HOME": str(home), "BOOTSMITH_CACHE_DIR": str(home / "cache")},
    )
    assert done.returncode == 1
    assert "Fetching" not in done.stdout + done.stderr
    assert "--executor vm" in done.stderr
    assert "usermod --add-subuids" in done.stderr
