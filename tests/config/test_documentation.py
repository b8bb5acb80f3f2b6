"""The page about the config tells every field, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel

from bootsmith.config.build_config import BuildConfig

PAGE = Path(__file__).parents[2] / "docs" / "config.md"


def fields(model: type[BaseModel], prefix: str = "") -> set[str]:
    found = set()
    for name, field in model.model_fields.items():
        label = prefix + (field.alias or name)
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= fields(kind, f"{label}.")
        else:
            found.add(label)
    return found


def test_the_page_tells_every_field_and_no_other() -> None:
    table = PAGE.read_text().partition("Relative paths")[0]
    told = set(re.findall(r"^\| `([A-Za-z.]+)`", table, re.MULTILINE))
    assert told == fields(BuildConfig)
