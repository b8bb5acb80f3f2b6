"""The public names can be found before they are used: by completion, by ``help``."""

from __future__ import annotations

import pydoc

import bootsmith


def test_completion_knows_them() -> None:
    assert dir(bootsmith) == sorted(bootsmith.__all__)
    for name in bootsmith.__all__:
        assert getattr(bootsmith, name) is not None


def test_help_shows_them() -> None:
    shown = pydoc.plain(pydoc.render_doc(bootsmith))
    for name in bootsmith.__all__:
        assert name.strip("_") in shown
