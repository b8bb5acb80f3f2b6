"""Hints for names that do not exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from bootsmith.sources.suggestion import did_you_mean


@pytest.mark.parametrize(
    ("similar", "hint"),
    [
        ({"gti": ["git"]}, "did you mean git?"),
        ({"gti": ["git", "gtk"]}, "did you mean git or gtk?"),
        ({"gti": ["git"], "zzz": []}, "did you mean git for gti?"),
        ({"a": ["b"], "c": ["d", "e"]}, "did you mean b for a, d or e for c?"),
        ({"zzz": []}, "look again"),
    ],
)
def test_what_may_have_been_meant(similar: Mapping[str, Sequence[str]], hint: str) -> None:
    assert did_you_mean(similar, otherwise="look again") == hint
