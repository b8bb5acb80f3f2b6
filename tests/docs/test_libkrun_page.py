"""What docs/libkrun.md shows is run, against a release made on the spot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bootsmith.config.parse import parse_config
from bootsmith.config.text import parse_text
from bootsmith.host.environment import host_arch
from tests.docs.page import Page
from tests.support.debian_images import CACHE
from tests.support.http_server import serve
from tests.support.krunfw_archives import KERNELS, release

PAGE = Page.read("docs/libkrun.md")


def test_its_config_is_one() -> None:
    (block,) = PAGE.blocks("json")
    config = parse_config(parse_text(block, origin="the page"), origin="the page", strict=True)
    assert config.krunfw_version == "v5.2.1"


@pytest.mark.network
def test_its_command_works(tmp_path: Path) -> None:
    (command,) = PAGE.commands()
    arch = str(host_arch())
    with serve(release(arch)) as server:
        env = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "BOOTSMITH_CACHE_DIR": str(CACHE),
            "BOOTSMITH_KRUNFW_MIRROR": server.url,
        }
        done = subprocess.run(
            ["sh", "-ec", command], cwd=tmp_path, env=env, capture_output=True, check=False
        )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "my-assets/krun-kernel").read_bytes() == KERNELS[arch]
