"""Fixtures that several rooms share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.debian_images import shared_image


@pytest.fixture(scope="session")
def debian_image(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder of a real Debian image.  It must not be changed; copy it to spoil it."""
    return shared_image(tmp_path_factory, worker_id)
