"""How many examples a property is tried on."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

QUICK_MOST = 6


def examples(count: int, **others: Any) -> settings:
    """``count`` in ./dev test, a few in ./dev check (hypothesis' profile ``quick``)."""
    if settings.get_current_profile_name() == "quick":
        count = min(count, QUICK_MOST)
    return settings(max_examples=count, deadline=None, **others)
