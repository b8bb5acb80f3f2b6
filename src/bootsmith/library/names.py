"""Names like the one that was not found."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def similar_names(text: str, known: Iterable[str]) -> tuple[str, ...]:
    """Up to three of ``known`` (``NAME:TAG``) that ``text``, perhaps without a tag, may mean."""
    names = sorted(known)
    if ":" in text:
        near = difflib.get_close_matches(text, names, n=3)
        if near:
            return tuple(near)
        text = text.rpartition(":")[0]
    bare = sorted({_bare(name) for name in names})
    near = difflib.get_close_matches(text, bare, n=3)
    return tuple(name for close in near for name in names if _bare(name) == close)[:3]


def _bare(name: str) -> str:
    return name.rpartition(":")[0]
