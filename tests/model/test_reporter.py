"""What programs hear that chose no reporter."""

from __future__ import annotations

import pytest

from bootsmith.model.reporter import PythonWarnings


def test_a_warning_is_pythons_at_the_line_that_called_us() -> None:
    with pytest.warns(UserWarning, match="look at this") as heard:
        PythonWarnings().warning("look at this")
    (one,) = heard
    assert one.filename == __file__
