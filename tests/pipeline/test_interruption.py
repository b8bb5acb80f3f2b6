"""Killed at any moment, or run by several at once: the next result is right, nothing is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.debian_images import BOOTSMITH, CACHE, build

pytestmark = pytest.mark.network


@pytest.fixture
def cache(debian_image: Path, tmp_path: Path) -> Iterator[Path]:
    """A store with the packages and nothing made from them."""
    folder = tmp_path / "cache"
    shutil.copytree(CACHE / "blobs", folder / "blobs", copy_function=os.link)
    yield folder
    # A sandbox cut off in the middle may leave files of other users.
    shutil.rmtree(folder)


def start(output: Path, cache: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [BOOTSMITH, "build", "--quiet", "--output", output],
        env={**os.environ, "BOOTSMITH_CACHE_DIR": str(cache)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def processes_naming(folder: Path) -> list[str]:
    """Command lines of running processes that name ``folder``."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue  # it has just ended
            if os.fsencode(folder) in line:
                found.append(line.decode("utf-8", "replace"))
    return found


def wait_until_none_names(folder: Path) -> None:
    deadline = time.monotonic() + 20
    while remaining := processes_naming(folder):
        assert time.monotonic() < deadline, remaining
        time.sleep(0.1)


def is_the_image(folder: Path, expected: Path) -> bool:
    names = sorted(path.name for path in folder.iterdir())
    return names == sorted(path.name for path in expected.iterdir()) and all(
        (folder / name).read_bytes() == (expected / name).read_bytes() for name in names
    )


@pytest.mark.parametrize(
    ("with_signal", "after_s"),
    [(signal.SIGKILL, 1.5), (signal.SIGKILL, 4.0), (signal.SIGINT, 4.0), (signal.SIGTERM, 2.5)],
)
def test_an_interrupted_build_is_repaired_by_the_next(
    debian_image: Path, cache: Path, tmp_path: Path, with_signal: signal.Signals, after_s: float
) -> None:
    outputs = tmp_path / "outputs"
    building = start(outputs / "image", cache)
    try:
        building.wait(after_s)
    except subprocess.TimeoutExpired:
        building.send_signal(with_signal)
        assert building.wait(20) != 0
    wait_until_none_names(tmp_path)
    if with_signal != signal.SIGKILL:
        assert not outputs.exists() or list(outputs.glob(".*")) == []
        assert list((cache / "blobs" / "staging").iterdir()) == []
    build(outputs / "image", env={"BOOTSMITH_CACHE_DIR": str(cache)})
    assert is_the_image(outputs / "image", debian_image)
    assert [path.name for path in outputs.iterdir()] == ["image"]
    assert list((cache / "blobs" / "staging").iterdir()) == []
    assert list((cache / "work").iterdir()) == []


def test_two_builds_at_once_share_a_store_and_an_output(
    debian_image: Path, cache: Path, tmp_path: Path
) -> None:
    outputs = [tmp_path / "one", tmp_path / "one", tmp_path / "two"]
    running = [start(output, cache) for output in outputs]
    assert [one.wait(300) for one in running] == [0, 0, 0]
    for output in outputs:
        assert is_the_image(output, debian_image)
