"""The page for Gondolin's users leaves none of its options out."""

from __future__ import annotations

import re

from bootsmith.config.parse import parse_config
from bootsmith.config.shape import every_key
from bootsmith.config.text import parse_text
from tests.support.debian_images import CHECKOUT

PAGE = (CHECKOUT / "docs" / "coming-from-gondolin.md").read_text("utf-8")
OURS = re.compile(
    r"(debian|kernel|krun|files|users|ssh|build|outputs|hostname)(\.|$)|alpine\.(repositories|keys)$"
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
