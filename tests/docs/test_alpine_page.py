"""What docs/alpine.md shows is run, against a mirror made on the spot."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bootsmith.config.parse import parse_config
from tests.support.alpine_mirrors import KEY, generated_mirror
from tests.support.debian_images import CHECKOUT
from tests.support.judges import require

PAGE = (CHECKOUT / "docs" / "alpine.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def test_every_config_that_the_page_shows_is_one() -> None:
    blocks = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    for found in blocks:
        parse_config(json.loads(found), origin="the page", strict=True)


@pytest.mark.network
@pytest.mark.boot
def test_what_the_page_shows_works(tmp_path: Path) -> None:
    require("qemu-system-x86_64")
    with generated_mirror(tmp_path) as mirror:
        config = json.loads(block("json"))
        config["alpine"]["keys"] = [KEY.name]  # Alpine's own have not signed this mirror
        (tmp_path / "alpine.json").write_text(json.dumps(config))
        env = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "BOOTSMITH_CACHE_DIR": str(tmp_path / "store"),
            "BOOTSMITH_ALPINE_MIRROR": mirror.server.url,
        }
        said = ""
        for command in re.findall(r"^\$ (.*)$", block("console"), re.MULTILINE):
            done = subprocess.run(
                ["sh", "-c", command], cwd=tmp_path, env=env, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            said = done.stdout
    assert said == "Made by bootsmith\n"
