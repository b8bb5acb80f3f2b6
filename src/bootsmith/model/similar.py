"""What somebody may have meant who wrote a name that there is not."""

from __future__ import annotations

from collections.abc import Iterable


def similar(text: str, known: Iterable[str], *, most: int = 1, likeness: float = 0.6) -> list[str]:
    """The ``most`` names of ``known`` that are most like ``text``, the nearest first.

    ``likeness`` is how like they must be, from 0 to 1.
    """
    from difflib import get_close_matches  # for mistakes only

    return get_close_matches(text, known, n=most, cutoff=likeness)
