"""docs/config.md knows every variable that bootsmith reads, and its command works."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.docs.page import Page, run
from tests.support.debian_images import CHECKOUT

PAGE = Page.read("docs/config.md")


def test_every_variable_is_told() -> None:
    sources = (path.read_text("utf-8") for path in (CHECKOUT / "src").rglob("*.py"))
    read = {
        name for text in sources for name in re.findall(r'"((?:BOOTSMITH|GONDOLIN)_\w+)"', text)
    }
    assert len(read) > 8
    assert [name for name in sorted(read) if f"`{name}`" not in PAGE.text] == []


def test_its_command_works(tmp_path: Path) -> None:
    (command,) = PAGE.commands()
    assert run(command, tmp_path).returncode == 0
    assert "properties" in json.loads((tmp_path / "bootsmith.schema.json").read_text())
