"""An image has to answer: ``build --test`` and ``verify --boot``."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.debian_images import bootsmith, build
from tests.support.judges import require, unavailable

pytestmark = [pytest.mark.boot, pytest.mark.network]


@pytest.fixture(autouse=True)
def _emulator() -> None:
    require("qemu-system-x86_64")


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    return (done.stdout + done.stderr).decode()


def test_only_an_image_that_answers_is_published(tmp_path: Path) -> None:
    output = tmp_path / "image"
    failing = ("--test", "true", "--test", "echo $((40 + 2)); exit 3")
    done = bootsmith("build", "--output", output, *failing)
    if b"cannot be reached" in done.stderr:
        unavailable("no Debian mirror can be reached")
    assert done.returncode == 1, said(done)
    assert "exit 3' ended with status 3" in said(done)
    assert "  42\n" in said(done)
    assert list(tmp_path.iterdir()) == []

    text = build(output, "--test", "grep ID=debian /etc/os-release")
    assert "Testing: grep ID=debian /etc/os-release" in text

    before = (output / "manifest.json").stat().st_ino
    done = bootsmith("build", "--output", output, "--test", "false")
    assert done.returncode == 1, "an image that has not changed is tested, too"
    assert "Nothing has changed" in said(done)
    assert (output / "manifest.json").stat().st_ino == before


def test_verify_boots_and_says_what_it_saw(debian_image: Path) -> None:
    done = bootsmith("verify", "--boot", debian_image)
    assert done.returncode == 0, said(done)
    first, second = done.stdout.decode().splitlines()
    assert first.startswith(f"{debian_image}: all right, build id ")
    assert second.startswith(f"{debian_image}: booted in ")
    assert "agent and /bin/sh answer, Linux 6." in second


def test_both_ways_to_verify_say_the_same(debian_image: Path) -> None:
    said_by_build = bootsmith("build", "--verify", debian_image).stdout
    assert said_by_build == bootsmith("verify", debian_image).stdout != b""
