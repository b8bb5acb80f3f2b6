"""Fixtures that several rooms share."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.debian_images import shared_image
from tests.support.examples import QUICK_MOST

# Under nohup, in the background of a script and in some CI systems these are ignored, which every
# program started from here would inherit; the tests of signals mean an ordinary session.
for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)

# What a build takes if it can be had is fetched from nobody, unless a test serves it.
os.environ["BOOTSMITH_KRUNFW_MIRROR"] = "file:///dev/null/libkrunfw"

# For ./dev check: enough to notice a slip; ./dev test looks further.
settings.register_profile("quick", max_examples=QUICK_MOST, deadline=None)


@pytest.fixture(scope="session")
def debian_image(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder of a real Debian image.  It must not be changed; copy it to spoil it."""
    return shared_image(tmp_path_factory, worker_id)
