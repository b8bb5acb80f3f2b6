"""Fixtures that several rooms share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.debian_images import shared_image

# For ./dev check: enough to notice a slip; ./dev test looks further.
settings.register_profile("quick", max_examples=10, deadline=None)


@pytest.fixture(scope="session")
def debian_image(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder of a real Debian image.  It must not be changed; copy it to spoil it."""
    return shared_image(tmp_path_factory, worker_id)
