"""The page for Gondolin's users leaves none of its options out, and its commands are run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bootsmith.config.distributions import DEFAULT_ALPINE_PACKAGES
from bootsmith.config.parse import parse_config
from bootsmith.config.shape import every_key
from bootsmith.config.text import parse_text
from bootsmith.host.environment import host_arch
from bootsmith.host.namespaces import namespace_support
from bootsmith.model.arch import Arch
from tests.docs.page import Page, run
from tests.support.alpine_mirrors import KEY, generated_mirror
from tests.support.debian_images import CHECKOUT
from tests.support.gondolin_configs import small_packages
from tests.support.judges import require, unavailable

PAGE = (CHECKOUT / "docs" / "coming-from-gondolin.md").read_text("utf-8")
OURS = re.compile(
    r"(debian|kernel|krun|files|users|ssh|build|outputs|hostname)(\.|$)|alpine\.(repositories|keys)$"
    r"|alpine\.minirootfs\."
    r"|rootfs\.(freeMb|profile)$|postBuild\.copy\."
)


def test_every_option_of_gondolin_is_told() -> None:
    parts = {key.rpartition(".")[0] for key in every_key()}
    options = [key for key in every_key() if key not in parts and not OURS.match(key)]
    assert len(options) > 20
    assert [key for key in options if f"`{key}`" not in PAGE] == []


def test_what_the_page_about_the_config_shows_is_one() -> None:
    page = (CHECKOUT / "docs" / "config.md").read_text("utf-8")
    blocks = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert blocks
    for block in blocks:
        parse_config(parse_text(block, origin="a block"), origin="a block", strict=True)


@pytest.mark.network  # where Debian's kernel is not cached yet
@pytest.mark.boot
def test_its_commands_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With small packages of the names that Gondolin's default config asks for."""
    require("qemu-system-x86_64")
    if namespace_support().kind == "none" or host_arch() is not Arch.X86_64:
        unavailable(namespace_support().reason or "the page builds for x86_64")
    first, *others = Page.read("docs/coming-from-gondolin.md").commands()
    packages = small_packages(DEFAULT_ALPINE_PACKAGES)
    with generated_mirror(tmp_path / "mirror", community=packages) as mirror:
        monkeypatch.setenv("BOOTSMITH_ALPINE_MIRROR", mirror.server.url)
        assert run(first, tmp_path).returncode == 0
        config = tmp_path / "build-config.json"
        fields = parse_text(config.read_text(), origin=config.name)
        fields["alpine"]["keys"] = [f"mirror/{KEY.name}"]  # Alpine's own did not sign this mirror
        config.write_text(json.dumps(fields))
        said = ""
        for command in others:
            done = run(command, tmp_path)
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            said += done.stdout
    assert "x86_64\n" in said
    assert said.endswith("ID=alpine\nVERSION_ID=3.23.0\n")
