"""The page about the config and the published schema say what the code does.

Both are made anew by ``python -m tests.support.config_page``.
"""

from __future__ import annotations

from tests.support.config_page import PAGE, SCHEMA, page, schema_text


def test_the_page_tells_every_field_as_it_is() -> None:
    assert PAGE.read_text("utf-8") == page()


def test_the_published_schema_is_that_of_the_code() -> None:
    assert SCHEMA.read_text("utf-8") == schema_text()
