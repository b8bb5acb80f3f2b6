"""Names like the one that was not found."""

from __future__ import annotations

from collections.abc import Iterable

from bootsmith.model.similar import similar


def similar_names(text: str, known: Iterable[str]) -> tuple[str, ...]:
    """Up to three of ``known`` (``NAME:TAG``) that ``text``, perhaps without a tag, may mean."""
    names = sorted(known)
    if ":" in text:
        near = similar(text, names, most=3)
        if near:
            return tuple(near)
        text = text.rpartition(":")[0]
    bare = sorted({_bare(name) for name in names})
    near = similar(text, bare, most=3)
    return tuple(name for close in near for name in names if _bare(name) == close)[:3]


def _bare(name: str) -> str:
    return name.rpartition(":")[0]
