"""The page about the config and the published schema say what the code does."""

from __future__ import annotations

from tests.support.config_page import PAGE, page


def test_the_page_tells_every_field_as_it_is() -> None:
    """Made anew by ``python -m tests.support.config_page``."""
    assert PAGE.read_text("utf-8") == page()
